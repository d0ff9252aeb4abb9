{# Views are renewed in place, so that nobody ever finds one missing (decision 0018). Only when columns were taken away
   or changed must the old view go with those that read it, which are built later in the same run. #}
{% materialization view, adapter='postgres' %}
    {%- set is_new = load_cached_relation(this) is none -%}
    {%- set built = create_or_replace_view() -%}
    {#- An increment finds the comments that the build in full wrote. -#}
    {% if is_new or should_full_refresh() %}{% do persist_docs(built["relations"][0], model) %}{% endif %}
    {% do adapter.commit() %}
    {{ return(built) }}
{% endmaterialization %}

{# What dbt's create_or_replace_view runs. #}
{% macro postgres__get_create_view_as_sql(relation, sql) %}
    do $build$
    begin
        {{ get_replace_view_sql(relation, sql) }}
    exception when invalid_table_definition then
        drop view {{ relation }} cascade;
        create view {{ relation }} as ({{ sql }});
    end $build$
{% endmacro %}
