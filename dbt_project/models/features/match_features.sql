-- one row per match: everything known about it just before kick-off, or as of the build for fixtures
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'prepared'},
    indexes=[
        {'columns': ['match_id'], 'unique': true},
        {'columns': ['kickoff_at']},
        {'columns': ['features_as_of']},
    ],
) }}

with matches as (
    select
        *,
        least({{ last_minute('kickoff_at') }}, {{ as_of() }}) as features_as_of
    from {{ ref('match') }}
    where
        status <> 'superseded'
        {% if is_incremental() %}
            and (
                {{ last_minute('kickoff_at') }} >= {{ known_from() }}
                or {{ is_affected('match_id') }}
            )
        {% endif %}
),

-- The fixture as it was known then; a match that nobody had announced has only what is known now. In the order of a
-- competition's matches: what is looked up for one lies beside what was looked up for the last.
fixtures as materialized (
    select
        matches.*,
        coalesce(known.competition, matches.competition) as known_competition,
        coalesce(known.season, matches.season) as known_season,
        coalesce(known.stage, matches.stage) as known_stage,
        coalesce(known.home_team_id, matches.home_team_id) as known_home_team_id,
        coalesce(known.away_team_id, matches.away_team_id) as known_away_team_id,
        coalesce(known.kickoff_at, matches.kickoff_at) as known_kickoff_at
    from matches
    left join {{ ref('match_version') }} as known
        on
            matches.match_id = known.match_id
            and matches.features_as_of >= known.valid_from
            and matches.features_as_of < known.valid_to
    order by matches.competition, matches.kickoff_at
),

-- Not materialised: read twice, they would lose their indexes.
ratings as not materialized (
    select * from {{ source('ratings', 'team_rating') }}
),

form as not materialized (
    select * from {{ ref('team_form') }}
),

competitions as not materialized (
    select * from {{ ref('competition_form') }}
),

versions as not materialized (
    select * from {{ ref('match_version') }}
),

tables as not materialized (
    select * from {{ ref('league_table') }}
),

market as (
    select * from {{ ref('market_view') }}
)

select
    fixtures.match_id,
    fixtures.competition,
    fixtures.country,
    fixtures.tier,
    fixtures.season,
    fixtures.kickoff_at,
    fixtures.features_as_of,
    fixtures.is_played,
    -- What the columns' descriptions say is a column of a relation below.
    {% for column in model.columns.values() if column.meta.taken_from %}
        {{ column.meta.taken_from }}::{{ column.data_type }} as {{ column.name }},
    {% endfor %}
    {% for side in ['home', 'away'] %}
        case
            when fixtures.known_kickoff_at - {{ side }}_rating.kickoff_at > interval '45 days'
                then {{ side }}_rating.last_tier
            else {{ side }}_rating.tier_before
        end - fixtures.tier as {{ side }}_tier_change,
        coalesce(extract(epoch from fixtures.known_kickoff_at - {{ side }}_calendar.last_kickoff_at) / 86400, 30)
        ::double precision as {{ side }}_rest_days,
        {{ side }}_calendar.n_matches::double precision as {{ side }}_n_matches_14d,
        coalesce({{ side }}_table.n_played, 0)::double precision as {{ side }}_n_played,
    {% endfor %}
    -- A league of n teams plays 2 (n - 1) rounds; the schedule itself is not looked at, it may hold later fixtures.
    least(
        (coalesce(home_table.n_played, 0) + coalesce(away_table.n_played, 0))
        / (4.0 * greatest(home_table.n_teams - 1, 1)), 1
    )::double precision as season_progress,
    fixtures.tier::double precision as competition_tier,
    greatest(extract(epoch from fixtures.known_kickoff_at - market.quoted_at) / 3600, 0)::double precision
        as market_price_hours
from fixtures
{% for side in ['home', 'away'] %}
    left join lateral (
        select * from ratings
        where
            ratings.team_id = fixtures.known_{{ side }}_team_id
            and ratings.valid_from <= fixtures.features_as_of
            and ratings.valid_to > fixtures.features_as_of
        order by ratings.valid_from desc, ratings.kickoff_at desc, ratings.match_id desc
        limit 1
    ) as {{ side }}_rating on true
    left join lateral (
        select * from form
        where form.team_id = fixtures.known_{{ side }}_team_id and form.valid_from <= fixtures.features_as_of
        order by form.valid_from desc
        limit 1
    ) as {{ side }}_form on true
    -- Played or to be played, as known then. What should have been played days before and has no result was called off,
    -- even where no source says so; and the same pairing under another key is this match itself.
    left join lateral (
        select
            max(before.kickoff_at) as last_kickoff_at,
            count(*) filter (where before.kickoff_at >= fixtures.known_kickoff_at - interval '14 days') as n_matches
        from versions as before
        where
            (
                before.home_team_id = fixtures.known_{{ side }}_team_id
                or before.away_team_id = fixtures.known_{{ side }}_team_id
            )
            and before.kickoff_at >= fixtures.known_kickoff_at - interval '30 days'
            and before.kickoff_at < fixtures.known_kickoff_at
            and before.valid_from <= fixtures.features_as_of
            and before.valid_to > fixtures.features_as_of
            and (
                before.is_played
                or before.status not in ('postponed', 'abandoned', 'cancelled', 'awarded', 'withdrawn')
                and before.kickoff_at > fixtures.features_as_of - interval '3 days'
                and (before.home_team_id, before.away_team_id)
                <> (fixtures.known_home_team_id, fixtures.known_away_team_id)
                and not exists (
                    select from versions as seen_later
                    where
                        seen_later.competition = before.competition
                        and seen_later.season = before.season
                        and seen_later.home_team_id = before.home_team_id
                        and seen_later.away_team_id = before.away_team_id
                        and seen_later.valid_from <= fixtures.features_as_of
                        and seen_later.valid_to > fixtures.features_as_of
                        and {{ is_taken_over("before", "seen_later", "fixtures.features_as_of") }}
                )
            )
    ) as {{ side }}_calendar on true
    left join lateral (
        select * from tables
        where
            tables.team_id = fixtures.known_{{ side }}_team_id
            and tables.season = fixtures.known_season
            -- The sides of a play-off may come from two leagues: where each has played.
            and case
                when fixtures.known_stage = 'play_off' then tables.n_played > 0
                else tables.competition = fixtures.known_competition
            end
            and tables.valid_from <= fixtures.features_as_of
        order by tables.valid_from desc
        limit 1
    ) as {{ side }}_table on true
{% endfor %}
left join lateral (
    select * from competitions
    where
        competitions.competition = fixtures.known_competition
        and competitions.valid_from <= fixtures.features_as_of
    order by competitions.valid_from desc
    limit 1
) as around on true
left join market on fixtures.match_id = market.match_id
