{# Place of a fact's source among those whose word counts for this kind of facts; the first place wins. The order is
   that of `priorities` in config/sources.yaml. There is no default, which could be another: dbt fails without it. #}
{% macro source_rank(kind) -%}
    {%- set sources = fromjson(env_var("TOUCHLINE_DBT_SOURCE_PRIORITIES"))[kind] if execute else [] -%}
    coalesce(array_position(
        array[{% for source in sources %}'{{ source }}'{{ ", " if not loop.last }}{% endfor %}], source
    ), 1000)
{%- endmacro %}
