-- one row per team, league match played and period: what it was to the team, as known from valid_from until valid_to
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[
        {'columns': ['match_id', 'team_id', 'valid_from'], 'unique': true},
        {'columns': ['team_id', 'kickoff_at']},
        {'columns': ['valid_from']},
        {'columns': ['valid_to']},
    ],
) }}

with results as (
    select * from {{ ref('result_version') }}
    where
        stage = 'league'
        {% if is_incremental() %}and {{ is_changed('match_id') }}{% endif %}
)

{% for team, opponent in [('home', 'away'), ('away', 'home')] %}
    select
        {{ team }}_team_id as team_id,
        {{ opponent }}_team_id as opponent_id,
        match_id,
        valid_from,
        valid_to,
        competition,
        season,
        kickoff_at,
        {{ 'true' if team == 'home' else 'false' }} as is_home,
        {{ team }}_goals::int as goals_for,
        {{ opponent }}_goals::int as goals_against,
        ({{ team }}_goals - {{ opponent }}_goals)::int as goal_difference,
        {{ team }}_shots::int as shots_for,
        {{ opponent }}_shots::int as shots_against,
        {{ team }}_shots_on_target::int as shots_on_target_for,
        {{ opponent }}_shots_on_target::int as shots_on_target_against,
        {{ points(team, opponent) }} as points
    from results
    {{ "union all" if not loop.last }}
{% endfor %}
