-- one row per team, venue and instant at which its results there changed: means over its last 10 matches there
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'known'},
    indexes=[{'columns': ['team_id', 'is_home', 'valid_from'], 'unique': true}, {'columns': ['valid_from']}],
) }}

{{ rolling_means(['team_id', 'is_home'], [10], ['goals_for', 'goals_against', 'points']) }}
