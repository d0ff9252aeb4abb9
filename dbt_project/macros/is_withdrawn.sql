{# Condition: by an instant, the source of a fact had taken its match back after saying this (CTE `withdrawals`). #}
{% macro is_withdrawn(fact, instant) -%}
    exists (
        select from withdrawals
        where
            withdrawals.fixture_key = {{ fact }}.fixture_key
            and withdrawals.source = {{ fact }}.source
            and withdrawals.payload_id > {{ fact }}.payload_id
            and withdrawals.known_at <= {{ instant }}
    )
{%- endmacro %}
