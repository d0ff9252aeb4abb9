{# Identity of a team: its country and its name in the source. #}
{% macro team_id(country, name) -%}
    md5({{ country }} || '|' || {{ name }})::uuid
{%- endmacro %}
