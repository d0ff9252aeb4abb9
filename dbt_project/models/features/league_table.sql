-- one row per competition, season, team and instant at which results or teams became known: the table from then on
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'known'},
    indexes=[
        {'columns': ['competition', 'season', 'team_id', 'valid_from'], 'unique': true},
        {'columns': ['valid_from']},
    ],
) }}

with versions as (
    select * from {{ ref('match_version') }}
),

matches as (
    select
        competition,
        season,
        team_id,
        valid_from,
        valid_to,
        points,
        goals_for,
        goals_against
    from {{ ref('team_match') }}
    {% for team, opponent in [('home', 'away'), ('away', 'home')] %}
        union all
        -- A score by decree says nothing about the sides, but it counts.
        select
            competition,
            season,
            {{ team }}_team_id,
            valid_from,
            valid_to,
            {{ points(team, opponent) }},
            {{ team }}_goals,
            {{ opponent }}_goals
        from versions
        where status = 'awarded' and home_goals is not null and away_goals is not null
    {% endfor %}
),

-- A result counts from when it was known until it was corrected.
gains as (
    select
        competition,
        season,
        team_id,
        valid_from,
        1 as n_played,
        points,
        goals_for,
        goals_against
    from matches
    union all
    select
        competition,
        season,
        team_id,
        valid_to as valid_from,
        -1 as n_played,
        -points as points,
        -goals_for as goals_for,
        -goals_against as goals_against
    from matches
    where valid_to < {{ forever() }}
),

seasons as (
    select
        competition,
        season
    from versions
    {% if is_incremental() %}where valid_from >= {{ known_from() }}{% endif %}
    union
    select
        competition,
        season
    from matches
    {% if is_incremental() %}where valid_to >= {{ known_from() }} and valid_to < {{ forever() }}{% endif %}
),

-- A team is in the table from when its first fixture of the season was known.
teams as (
    select
        named.team_id,
        named.competition,
        named.season,
        min(named.valid_from) as known_from
    from (
        select
            home_team_id as team_id,
            competition,
            season,
            valid_from
        from versions
        union all
        select
            away_team_id,
            competition,
            season,
            valid_from
        from versions
    ) as named
    inner join seasons on named.competition = seasons.competition and named.season = seasons.season
    group by named.competition, named.season, named.team_id
),

new_gains as (
    select
        gains.competition,
        gains.season,
        gains.team_id,
        gains.valid_from,
        sum(gains.n_played) as n_played,
        sum(gains.points) as points,
        sum(gains.goals_for) as goals_for,
        sum(gains.goals_against) as goals_against
    from gains
    inner join seasons on gains.competition = seasons.competition and gains.season = seasons.season
    {% if is_incremental() %}where gains.valid_from >= {{ known_from() }}{% endif %}
    group by gains.competition, gains.season, gains.team_id, gains.valid_from
),

instants as (
    select
        competition,
        season,
        valid_from
    from new_gains
    union
    select
        competition,
        season,
        known_from
    from teams
    {% if is_incremental() %}where known_from >= {{ known_from() }}{% endif %}
),

-- Where the table stood before what is new.
before as (
    {% if is_incremental() %}
        select distinct on (stood.competition, stood.season, stood.team_id) stood.*
        from {{ this }} as stood
        inner join seasons on stood.competition = seasons.competition and stood.season = seasons.season
        where stood.valid_from < {{ known_from() }}
        order by stood.competition, stood.season, stood.team_id, stood.valid_from desc
    {% else %}
        select
            null::text as competition,
            null::text as season,
            null::uuid as team_id,
            0 as n_played,
            0 as points,
            0 as goals_for,
            0 as goals_against
        where false
    {% endif %}
),

-- Every team at every instant, so that the table is complete also for those who did not play.
totals as (
    select
        teams.competition,
        teams.season,
        teams.team_id,
        instants.valid_from,
        bool_or(before.team_id is not null) over (partition by teams.competition, teams.season) as has_begun,
        (coalesce(before.n_played, 0) + coalesce(sum(new_gains.n_played) over so_far, 0))::int as n_played,
        (coalesce(before.points, 0) + coalesce(sum(new_gains.points) over so_far, 0))::int as points,
        (coalesce(before.goals_for, 0) + coalesce(sum(new_gains.goals_for) over so_far, 0))::int as goals_for,
        (coalesce(before.goals_against, 0) + coalesce(sum(new_gains.goals_against) over so_far, 0))::int
            as goals_against
    from teams
    inner join instants
        on
            teams.competition = instants.competition
            and teams.season = instants.season
            and teams.known_from <= instants.valid_from
    left join new_gains
        on
            teams.competition = new_gains.competition
            and teams.season = new_gains.season
            and teams.team_id = new_gains.team_id
            and instants.valid_from = new_gains.valid_from
    left join before
        on
            teams.competition = before.competition
            and teams.season = before.season
            and teams.team_id = before.team_id
    window so_far as (
        partition by teams.competition, teams.season, teams.team_id order by instants.valid_from
        rows between unbounded preceding and current row
    )
),

ranked as (
    select
        *,
        (rank() over (
            partition by competition, season, valid_from
            order by points desc, goals_for - goals_against desc, goals_for desc
        ))::int as position,
        (count(*) over (partition by competition, season, valid_from))::int as n_teams,
        max(n_played) over (partition by competition, season order by valid_from) as most_played_so_far
    from totals
)

-- Before the first result there is no table; once there was one, it stands, though all results be withdrawn.
select
    competition,
    season,
    team_id,
    valid_from,
    n_played,
    points,
    goals_for,
    goals_against,
    position,
    n_teams
from ranked
where has_begun or most_played_so_far > 0
