{# A value the build gives at run time. Read while parsing, it would have every file that uses it parsed again. #}
{% macro given(name, default) -%}
    {{ env_var("TOUCHLINE_DBT_" ~ name, default) if execute else default }}
{%- endmacro %}

{# The instant this build knows everything up to, as a timestamptz. #}
{% macro as_of() -%}
    '{{ given("AS_OF", "2000-01-01T00:00:00+00:00") }}'::timestamptz
{%- endmacro %}

{# The last instant of the horizon: a fixture that kicks off until then is predicted. #}
{% macro horizon_end() -%}
    {{ as_of() }} + interval '{{ given("HORIZON_DAYS", "7") }} days'
{%- endmacro %}

{# As of when the layer was built before, in an incremental build. #}
{% macro built_as_of() -%}
    '{{ given("BUILT_AS_OF", "-infinity") }}'::timestamptz
{%- endmacro %}

{# The instant from which on knowledge may have changed since the last build, in an incremental build. #}
{% macro known_from() -%}
    '{{ given("KNOWN_FROM", "-infinity") }}'::timestamptz
{%- endmacro %}

{# The last instant at which anything may be learned that counts as known before a kick-off. #}
{% macro last_minute(kickoff_at) -%}
    {{ kickoff_at }} - interval '1 minute'
{%- endmacro %}

{# Until when what stands is valid. Not infinity, which many clients cannot read. #}
{% macro forever() -%}
    '9999-12-31 00:00:00+00'::timestamptz
{%- endmacro %}

{# The first midnight, UTC, after a day: from then on what a source dates by the day alone is known. #}
{% macro day_after(day) -%}
    ({{ day }} + 1)::timestamp at time zone 'UTC'
{%- endmacro %}
