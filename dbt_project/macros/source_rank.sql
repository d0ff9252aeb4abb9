{# Place of a fact's source among those whose word counts for this kind of facts; the first place wins. #}
{% macro source_rank(kind) -%}
    coalesce(array_position(
        array[{% for source in var("source_priorities")[kind] %}'{{ source }}'{{ ", " if not loop.last }}{% endfor %}], source
    ), 1000)
{%- endmacro %}
