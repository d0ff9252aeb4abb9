{# Order in which the last of several versions of a fact comes first. #}
{% macro latest_version() -%}
    known_at desc, observed_at desc, payload_id desc
{%- endmacro %}
