{# Statistics after a build in full; autovacuum keeps them while a table grows. #}
{% macro analyze_full() -%}
    {% if flags.FULL_REFRESH or not execute %}analyze {{ this }}{% endif %}
{%- endmacro %}
