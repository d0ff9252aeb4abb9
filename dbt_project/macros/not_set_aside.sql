{# Condition: this fact of landing was not set aside. `more` are the columns that name a quote beside its match and
   payload. #}
{% macro not_set_aside(kind, more=[]) -%}
    not exists (
        select from {{ source('landing', 'set_aside') }} as aside
        where
            aside.kind = '{{ kind }}'
            and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id
            {% for column in more %}and aside.{{ column }} = observation.{{ column }} {% endfor %}
    )
{%- endmacro %}
