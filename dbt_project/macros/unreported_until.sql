{# The last kick-off of a match that is unreported at an instant, where nobody has told what became of it. #}
{% macro unreported_until(instant) -%}
    {{ instant }} - interval '30 days'
{%- endmacro %}
