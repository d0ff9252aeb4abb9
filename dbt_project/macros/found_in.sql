{# Test: every value of the column is in `to`; an incremental build looks only at the matches it has made anew. #}
{% test found_in(model, column_name, to, field) %}
    select child.{{ column_name }}
    from {{ model }} as child
    where
        child.{{ column_name }} is not null
        and not exists (select from {{ to }} as parent where parent.{{ field }} = child.{{ column_name }})
        and {{ is_new_to_this_build("child.match_id") }}
{% endtest %}
