{# Place of a fact's source among those whose word counts for this kind of facts; the first place wins. #}
{% macro source_rank(kind) -%}
    {%- set priorities = fromjson(given("SOURCE_PRIORITIES", var("source_priorities") | tojson)) -%}
    coalesce(array_position(
        array[{% for source in priorities[kind] %}'{{ source }}'{{ ", " if not loop.last }}{% endfor %}], source
    ), 1000)
{%- endmacro %}
