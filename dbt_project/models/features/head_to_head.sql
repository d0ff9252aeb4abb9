-- one row per team, opponent and instant at which the results of their meetings changed: means over the last six
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'known'},
    indexes=[{'columns': ['team_id', 'opponent_id', 'valid_from'], 'unique': true}, {'columns': ['valid_from']}],
) }}

{{ rolling_means(['team_id', 'opponent_id'], [6], ['points', 'goal_difference']) }}
