-- one row per source, country and name used there for a team
{{ config(indexes=[{'columns': ['source', 'country', 'alias'], 'unique': true}]) }}

with matches as (
    select * from {{ ref('match') }}
),

names as (
    select
        source,
        country,
        home_team as alias,
        home_team_id as team_id
    from matches
    union
    select
        source,
        country,
        away_team,
        away_team_id
    from matches
)

select
    source,
    country,
    alias,
    team_id
from names
