{# Points of a side, 'home' or 'away', for the score of a match. #}
{% macro points(team, opponent) -%}
    case
        when {{ team }}_goals > {{ opponent }}_goals then 3
        when {{ team }}_goals = {{ opponent }}_goals then 1
        else 0
    end
{%- endmacro %}
