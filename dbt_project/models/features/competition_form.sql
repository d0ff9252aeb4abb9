-- one row per competition and instant at which its results changed: means over its last 300 league matches known then
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'known'},
    indexes=[{'columns': ['competition', 'valid_from'], 'unique': true}, {'columns': ['valid_from']}],
) }}

{{ rolling_means(['competition'], [300], ['goals_for', 'goals_against'], condition='is_home') }}
