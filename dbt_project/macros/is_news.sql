{# Condition in a snapshot: it was not taken as of this instant or a later one before. Builds may go back in time, what
   they found may not. #}
{% macro is_news() -%}
    {% set taken = load_relation(this) if execute %}
    {%- if taken -%}
        {{ as_of() }} > coalesce((select max(dbt_updated_at) from {{ taken }}), '-infinity')
    {%- else -%} true
    {%- endif -%}
{%- endmacro %}
