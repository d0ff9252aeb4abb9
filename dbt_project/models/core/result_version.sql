-- one row per match and period: the result that counted from valid_from until just before valid_to
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[
        {'columns': ['match_id', 'valid_from'], 'unique': true},
        {'columns': ['valid_from']},
        {'columns': ['valid_to']},
        {'columns': ['kickoff_at']},
    ],
) }}

with versions as (
    select * from {{ ref('match_version') }}
    {% if is_incremental() %}where {{ is_changed('match_id') }}{% endif %}
),

competitions as (
    select * from {{ ref('competition') }}
),

{% set values = [
    'is_played', 'competition', 'season', 'stage', 'home_team_id', 'away_team_id', 'kickoff_at', 'home_goals',
    'away_goals', 'home_shots', 'away_shots', 'home_shots_on_target', 'away_shots_on_target', 'home_corners',
    'away_corners', 'home_yellow_cards', 'away_yellow_cards', 'home_red_cards', 'away_red_cards',
] %}

-- Another source that says the same, or a new referee, is no new result.
compared as (
    select
        *,
        row({{ values | join(', ') }}) as said,
        lag(row({{ values | join(', ') }})) over (partition by match_id order by valid_from) as said_before
    from versions
),

periods as (
    select
        *,
        coalesce(lead(valid_from) over (partition by match_id order by valid_from), {{ forever() }}) as valid_until
    from compared
    where said is distinct from said_before
)

select
    periods.match_id,
    periods.valid_from,
    periods.valid_until as valid_to,
    periods.competition,
    competitions.tier,
    periods.season,
    periods.stage,
    periods.home_team_id,
    periods.away_team_id,
    periods.kickoff_at,
    periods.home_goals,
    periods.away_goals,
    periods.home_shots,
    periods.away_shots,
    periods.home_shots_on_target,
    periods.away_shots_on_target,
    periods.home_corners,
    periods.away_corners,
    periods.home_yellow_cards,
    periods.away_yellow_cards,
    periods.home_red_cards,
    periods.away_red_cards
from periods
inner join competitions on periods.competition = competitions.competition
where periods.is_played
