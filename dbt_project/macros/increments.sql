{# What dbt does for every incremental table and an increment has no need of: a model whose SQL, columns or descriptions
   are not those of the last build is built in full (warehouse/changes.py), so the table has the columns and comments
   that its model asks for (decision 0018). #}

{# dbt compares the columns of table and model pair by pair. Nothing returned means: the table's columns. #}
{% macro postgres__process_schema_changes(on_schema_change, source_relation, target_relation) %}
    {{ return([]) }}
{% endmacro %}

{% macro postgres__persist_docs(relation, model, for_relation, for_columns) %}
    {% if not is_incremental() %}
        {% do default__persist_docs(relation, model, for_relation, for_columns) %}
    {% endif %}
{% endmacro %}

{# dbt asks for the columns of model and contract, in two queries a model. They are those of the table. #}
{% macro postgres__get_assert_columns_equivalent(sql) %}
    {% if should_full_refresh() or load_cached_relation(this) is none %}
        {{ return(default__get_assert_columns_equivalent(sql)) }}
    {% endif %}
{% endmacro %}
