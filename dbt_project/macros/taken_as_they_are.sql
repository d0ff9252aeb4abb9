{# Columns of a model that are columns of a relation in it: those whose description says where they are taken from. #}
{% macro taken_as_they_are() -%}
    {% for column in model.columns.values() if column.meta.taken_from %}
        {{ column.meta.taken_from }}::{{ column.data_type }} as {{ column.name }},
    {% endfor %}
{%- endmacro %}
