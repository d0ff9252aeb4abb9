-- one row per match: everything known about it just before kick-off, or as of the build for fixtures
{{ config(indexes=[
    {'columns': ['match_id'], 'unique': true},
    {'columns': ['kickoff_at']},
    {'columns': ['features_as_of']},
]) }}

{% set statistics = [
    'goals_for', 'goals_against', 'shots_for', 'shots_against',
    'shots_on_target_for', 'shots_on_target_against', 'points',
] %}

-- Not materialised: read twice, they would lose their indexes.
with matches as (
    select
        *,
        case
            when kickoff_at <= {{ as_of() }} then kickoff_at - interval '1 minute'
            else {{ as_of() }}
        end as features_as_of
    from {{ ref('match') }}
    where status <> 'superseded'
),

seasons as (
    select * from {{ ref('season') }}
),

ratings as not materialized (
    select * from {{ source('ratings', 'team_rating') }}
),

form as not materialized (
    select * from {{ ref('team_form') }}
),

tables as not materialized (
    select * from {{ ref('league_table') }}
),

meetings as (
    select * from {{ ref('head_to_head') }}
),

market as (
    select * from {{ ref('market_view') }}
)

select
    matches.match_id,
    matches.competition,
    matches.country,
    matches.tier,
    matches.season,
    matches.kickoff_at,
    matches.features_as_of,
    matches.is_played,
    {% for side in ['home', 'away'] %}
        {{ side }}_rating.elo as {{ side }}_elo,
        {{ side }}_rating.elo_shots as {{ side }}_elo_shots,
        {{ side }}_rating.pi_{{ side }} as {{ side }}_pi,
        {{ side }}_rating.pi_{{ side }}_shots as {{ side }}_pi_shots,
        {% for span in [5, 10, 20] %}
            {% for statistic in statistics %}
                {{ side }}_form.{{ statistic }}_{{ span }} as {{ side }}_{{ statistic }}_{{ span }},
            {% endfor %}
        {% endfor %}
        {{ side }}_venue.venue_goals_for_10 as {{ side }}_venue_goals_for_10,
        {{ side }}_venue.venue_goals_against_10 as {{ side }}_venue_goals_against_10,
        {{ side }}_venue.venue_points_10 as {{ side }}_venue_points_10,
        least(extract(epoch from matches.kickoff_at - {{ side }}_form.kickoff_at) / 86400, 30)::double precision
            as {{ side }}_rest_days,
        {{ side }}_recent.n_matches::double precision as {{ side }}_n_matches_14d,
        coalesce({{ side }}_table.n_played, 0)::double precision as {{ side }}_n_played,
        {{ side }}_table.position::double precision as {{ side }}_position,
        ({{ side }}_table.points::double precision / nullif({{ side }}_table.n_played, 0))
            as {{ side }}_points_per_match,
    {% endfor %}
    coalesce(last_meeting.n_matches, 0)::double precision as h2h_n_matches,
    case
        when matches.home_team_id < matches.away_team_id then last_meeting.first_points_mean
        else last_meeting.second_points_mean
    end as h2h_points_mean,
    case
        when matches.home_team_id < matches.away_team_id then last_meeting.first_goal_difference_mean
        else -last_meeting.first_goal_difference_mean
    end as h2h_goal_difference_mean,
    -- A league of n teams plays 2 (n - 1) rounds; the schedule itself is not looked at, it may hold later matches.
    least(
        (coalesce(home_table.n_played, 0) + coalesce(away_table.n_played, 0))
        / (4.0 * greatest(seasons.n_teams - 1, 1)), 1
    )::double precision as season_progress,
    extract(month from matches.kickoff_on)::double precision as month,
    market.price_home::double precision as market_price_home,
    market.price_draw::double precision as market_price_draw,
    market.price_away::double precision as market_price_away,
    market.price_over::double precision as market_price_over,
    market.price_under::double precision as market_price_under,
    market.handicap_line::double precision as market_handicap_line,
    market.handicap_home::double precision as market_handicap_home,
    market.handicap_away::double precision as market_handicap_away,
    market.n_bookmakers::double precision as market_n_bookmakers,
    market.spread::double precision as market_spread
from matches
inner join seasons on matches.competition = seasons.competition and matches.season = seasons.season
{% for side in ['home', 'away'] %}
    left join lateral (
        select * from ratings
        where ratings.team_id = matches.{{ side }}_team_id and ratings.valid_from <= matches.features_as_of
        order by ratings.valid_from desc, ratings.kickoff_at desc
        limit 1
    ) as {{ side }}_rating on true
    left join lateral (
        select * from form
        where form.team_id = matches.{{ side }}_team_id and form.valid_from <= matches.features_as_of
        order by form.valid_from desc, form.kickoff_at desc
        limit 1
    ) as {{ side }}_form on true
    left join lateral (
        select * from form
        where
            form.team_id = matches.{{ side }}_team_id
            and form.is_home = {{ 'true' if side == 'home' else 'false' }}
            and form.valid_from <= matches.features_as_of
        order by form.valid_from desc, form.kickoff_at desc
        limit 1
    ) as {{ side }}_venue on true
    left join lateral (
        select count(*) as n_matches from form
        where
            form.team_id = matches.{{ side }}_team_id
            and form.kickoff_at >= matches.kickoff_at - interval '14 days'
            and form.kickoff_at < matches.kickoff_at
            and form.valid_from <= matches.features_as_of
    ) as {{ side }}_recent on true
    left join lateral (
        select * from tables
        where
            tables.competition = matches.competition
            and tables.season = matches.season
            and tables.team_id = matches.{{ side }}_team_id
            and tables.valid_from <= matches.features_as_of
        order by tables.valid_from desc
        limit 1
    ) as {{ side }}_table on true
{% endfor %}
left join lateral (
    select * from meetings
    where
        meetings.first_team_id = least(matches.home_team_id, matches.away_team_id)
        and meetings.second_team_id = greatest(matches.home_team_id, matches.away_team_id)
        and meetings.valid_from <= matches.features_as_of
    order by meetings.valid_from desc, meetings.kickoff_at desc
    limit 1
) as last_meeting on true
left join market on matches.match_id = market.match_id
