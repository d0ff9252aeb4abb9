-- one row per competition, season, team and instant at which results became known: the table from then on
{{ config(indexes=[
    {'columns': ['competition', 'season', 'team_id', 'valid_from'], 'unique': true},
]) }}

with matches as (
    select * from {{ ref('match') }}
    where status <> 'superseded'
),

results as (
    select * from {{ ref('match_result') }}
),

teams as (
    select
        competition,
        season,
        home_team_id as team_id
    from matches
    union
    select
        competition,
        season,
        away_team_id
    from matches
),

gains as (
    select
        matches.competition,
        matches.season,
        matches.home_team_id as team_id,
        results.known_at,
        results.home_goals::int as goals_for,
        results.away_goals::int as goals_against,
        case results.outcome when 'home' then 3 when 'draw' then 1 else 0 end as points
    from matches
    inner join results on matches.match_id = results.match_id
    union all
    select
        matches.competition,
        matches.season,
        matches.away_team_id,
        results.known_at,
        results.away_goals::int,
        results.home_goals::int,
        case results.outcome when 'away' then 3 when 'draw' then 1 else 0 end as points
    from matches
    inner join results on matches.match_id = results.match_id
),

instants as (
    select distinct
        competition,
        season,
        known_at
    from gains
),

-- Every team at every instant, so that the table is complete also for those who did not play.
grid as (
    select
        teams.competition,
        teams.season,
        teams.team_id,
        instants.known_at as valid_from,
        count(gains.team_id) as n_played,
        coalesce(sum(gains.points), 0) as points,
        coalesce(sum(gains.goals_for), 0) as goals_for,
        coalesce(sum(gains.goals_against), 0) as goals_against
    from teams
    inner join instants on teams.competition = instants.competition and teams.season = instants.season
    left join gains
        on
            teams.competition = gains.competition
            and teams.season = gains.season
            and teams.team_id = gains.team_id
            and instants.known_at = gains.known_at
    group by teams.competition, teams.season, teams.team_id, instants.known_at
),

totals as (
    select
        competition,
        season,
        team_id,
        valid_from,
        (sum(n_played) over so_far)::int as n_played,
        (sum(points) over so_far)::int as points,
        (sum(goals_for) over so_far)::int as goals_for,
        (sum(goals_against) over so_far)::int as goals_against
    from grid
    window so_far as (
        partition by competition, season, team_id order by valid_from
        rows between unbounded preceding and current row
    )
)

select
    *,
    (rank() over (
        partition by competition, season, valid_from
        order by points desc, goals_for - goals_against desc, goals_for desc
    ))::int as position
from totals
