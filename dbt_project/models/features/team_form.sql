-- one row per team and instant at which its results changed: means over its last 5 league matches as known then
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'known'},
    indexes=[{'columns': ['team_id', 'valid_from'], 'unique': true}, {'columns': ['valid_from']}],
) }}

{{ rolling_means(
    ['team_id'],
    [5],
    ['goals_for', 'goals_against', 'shots_for', 'shots_against', 'shots_on_target_for', 'shots_on_target_against', 'points'],
) }}
