{# The instant this build knows everything up to, as a timestamptz. #}
{% macro as_of() -%}
    '{{ var("as_of") }}'::timestamptz
{%- endmacro %}
