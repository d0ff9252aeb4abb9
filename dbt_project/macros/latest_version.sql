{# Order in which the last of several versions of a fact comes first. With a `kind` they may be of several sources, of
   which it is chance whose payload came first. #}
{% macro latest_version(kind=none) -%}
    known_at desc, observed_at desc, {% if kind %}{{ source_rank(kind) }} asc, {% endif %}payload_id desc
{%- endmacro %}
