{# Condition: something new has landed about this match since the last build. An array, so that indexes are used. #}
{% macro is_changed(match_id) -%}
    {{ match_id }} = any(array(
        select change.match_id from {{ source('ops', 'match_change') }} as change
        where change.change_id > {{ given("CHANGES_SINCE", "0") }}
    ))
{%- endmacro %}

{# Condition for tests: everything in a build in full, what changed in an incremental one. #}
{% macro is_new_to_this_build(match_id) -%}
    {% if given("CHANGES_SINCE", "") %}{{ is_changed(match_id) }}{% else %}true{% endif %}
{%- endmacro %}

{# Condition: an incremental build has to make this row of core.match anew. A fixture without a result is superseded
   once its day has passed, and by other fixtures of the same pairing, so that these go together; some time later it is
   unreported. #}
{% macro is_affected(match_id) -%}
    {{ match_id }} = any(array(
        select version.match_id
        from {{ ref('match_version') }} as version
        inner join (
            select distinct
                seed.competition,
                seed.season,
                seed.home_team_id,
                seed.away_team_id
            from {{ ref('match_version') }} as seed
            where
                {{ is_changed('seed.match_id') }}
                or (
                    (
                        seed.kickoff_at between {{ built_as_of() }} and {{ as_of() }}
                        or seed.kickoff_at
                        between {{ unreported_until(built_as_of()) }} and {{ unreported_until(as_of()) }}
                    )
                    and seed.valid_to = {{ forever() }} and not seed.is_played
                )
        ) as pairing
            using (competition, season, home_team_id, away_team_id)
        union
        -- What was set aside may have left no version.
        select change.match_id from {{ source('ops', 'match_change') }} as change
        where change.change_id > {{ given("CHANGES_SINCE", "0") }}
    ))
{%- endmacro %}
