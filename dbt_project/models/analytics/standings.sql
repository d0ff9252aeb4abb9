-- one row per competition, season and team: the newest table of the league stage, and what it may lack
with tables as not materialized (
    select * from {{ ref('league_table') }}
),

newest as (
    select
        competition,
        season,
        max(valid_from) as valid_from
    from tables
    group by competition, season
),

competitions as (
    select * from {{ ref('competition') }}
),

teams as (
    select * from {{ ref('team') }}
)

select
    tables.competition,
    competitions.name as competition_name,
    tables.season,
    tables.position,
    tables.team_id,
    teams.name as team,
    tables.n_played,
    tables.goals_for,
    tables.goals_against,
    tables.points,
    tables.points_deducted,
    tables.n_teams,
    tables.table_rule,
    tables.may_lack,
    tables.valid_from,
    competitions.is_simulated
from tables
inner join newest
    on
        tables.competition = newest.competition
        and tables.season = newest.season
        and tables.valid_from = newest.valid_from
inner join competitions on tables.competition = competitions.competition
inner join teams on tables.team_id = teams.team_id
