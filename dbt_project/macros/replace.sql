{# Incremental strategy `replace`: the rows that an incremental build makes anew, by `meta.replaces` of the model, are
   deleted and those it selects are inserted, in one transaction. Unlike a merge, it removes what is gone. #}
{% macro get_incremental_replace_sql(arg_dict) %}
    {% set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) %}
    delete from {{ arg_dict["target_relation"] }} as stale where {{ is_replaced('stale') }};
    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}

{# Condition: an incremental build makes this row anew. #}
{% macro is_replaced(row) -%}
    {%- set kind = config.get("meta")["replaces"] -%}
    {%- if kind == "changed" -%} {{ is_changed(row ~ ".match_id") }}
    {%- elif kind == "affected" -%} {{ is_affected(row ~ ".match_id") }}
    {%- elif kind == "season" -%} {{ is_of_affected_season(row) }}
    {%- elif kind == "team" -%} {{ is_of_changed_team(row) }}
    {%- elif kind == "known" -%} {{ row }}.valid_from >= {{ known_from() }}
    {%- elif kind == "prepared" -%}
        {{ row }}.features_as_of >= {{ known_from() }} or {{ is_affected(row ~ ".match_id") }}
    {%- else -%} {{ exceptions.raise_compiler_error("meta.replaces of " ~ model.name ~ " is not known: " ~ kind) }}
    {%- endif -%}
{%- endmacro %}

{# Condition: something new has landed about a match of this team, under whatever name. #}
{% macro is_of_changed_team(row) -%}
    {{ row }}.team_id = any(array(
        select version.home_team_id from {{ ref('match_version') }} as version
        where {{ is_changed("version.match_id") }}
        union
        select version.away_team_id from {{ ref('match_version') }} as version
        where {{ is_changed("version.match_id") }}
    ))
{%- endmacro %}

{# Condition: an incremental build makes a match of this competition and season anew. #}
{% macro is_of_affected_season(row) -%}
    ({{ row }}.competition, {{ row }}.season) in (
        select
            version.competition,
            version.season
        from {{ ref('match_version') }} as version
        where {{ is_affected("version.match_id") }}
    )
{%- endmacro %}
