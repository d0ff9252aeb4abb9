{# Names, each with the relation it comes from. #}
{% macro qualified(relation, names) -%}
    {% for name in names %}{{ relation }}.{{ name }}{{ ", " if not loop.last }}{% endfor %}
{%- endmacro %}

{# One row per series and instant at which its results changed: means over the last matches as known then.

   `series` are columns of team_match that say which matches belong together; `spans` how many matches to look back;
   `condition` says which rows count.
   In most cases a result becomes known in the order of kick-offs and stays as it is: then the state at an instant is a
   window over the whole career. At other instants (a late or corrected result) the last matches known just then are
   looked up one by one; so are all in an incremental build, which has few. One set of windows serves both. #}
{% macro rolling_means(series, spans, statistics, condition="true") %}
    {% set keys = series | join(", ") %}
    {% set longest = spans | max %}
    {% set means = [] %}
    {% for span in spans %}
        {% for statistic in statistics %}{% do means.append(statistic ~ "_" ~ span) %}{% endfor %}
    {% endfor %}

with matches as (
    select * from {{ ref('team_match') }}
    where {{ condition }}
),

instants as (
    select
        {{ keys }},
        valid_from
    from matches
    {% if is_incremental() %}where valid_from >= {{ known_from() }}{% endif %}
    union
    select
        {{ keys }},
        valid_to as valid_from
    from matches
    where
        valid_to < {{ forever() }}
    {% if is_incremental() %}and valid_to >= {{ known_from() }}{% endif %}
),

{% if is_incremental() %}
    looked_up as (
        select * from instants
    ),

    sequences as (
        {{ last_known(series, statistics, longest, condition) }}
    ),
{% else %}
    withdrawn as materialized (
        select * from matches
        where valid_to < {{ forever() }}
    ),

    career as (
        select
            *,
            row_number() over by_kickoff as place,
            count(*) over by_knowledge as n_known
        from matches
        where valid_to = {{ forever() }}
        window
            by_kickoff as (partition by {{ keys }} order by kickoff_at, match_id),
            by_knowledge as (partition by {{ keys }} order by valid_from)
    ),

    known as (
        select
            {{ keys }},
            valid_from,
            n_known,
            max(place) over (partition by {{ keys }} order by valid_from) as last_place
        from career
    ),

    -- Up to which match a career was known at an instant, where it was known without a gap.
    reached as (
        select
            {{ keys }},
            valid_from,
            max(n_known) as place
        from known
        where
            -- Never more than it; asked for equality, the planner expects next to no row, and compares all with all.
            n_known >= last_place
            and not exists (
                select from withdrawn
                where
                    ({{ qualified("withdrawn", series) }}) = ({{ qualified("known", series) }})
                    and known.valid_from >= withdrawn.valid_from
                    and known.valid_from < withdrawn.valid_to
            )
        group by {{ keys }}, valid_from
    ),

    looked_up as (
        select * from instants
        except
        select
            {{ keys }},
            valid_from
        from reached
    ),

    sequences as (
        {{ last_known(series, statistics, longest, condition) }}
        union all
        select
            {{ keys }},
            null as known_at,
            false as is_last,
            place,
            match_id,
            kickoff_at,
            {{ statistics | join(", ") }}
        from career
    ),
{% endif %}

means as (
    select
        {{ keys }},
        known_at,
        is_last,
        place,
        match_id,
        kickoff_at,
        {% for span in spans %}
        {% for statistic in statistics %}
                sum({{ statistic }}) over last_{{ span }}::double precision
                / nullif(count({{ statistic }}) over last_{{ span }}, 0) as {{ statistic }}_{{ span }},
            {% endfor %}
    {% endfor %}
        count(match_id) over last_{{ longest }} as n_matches
    from sequences
    window
        {% for span in spans %}
            last_{{ span }} as (
                partition by {{ keys }}, known_at order by kickoff_at, match_id
                rows between {{ span - 1 }} preceding and current row
            ){{ "," if not loop.last }}
    {% endfor %}
)

select
    {{ keys }},
    known_at as valid_from,
    match_id,
    kickoff_at,
    n_matches,
    {{ means | join(", ") }}
from means
where is_last
{% if not is_incremental() %}
    union all
    select
        {{ qualified("means", series) }},
        reached.valid_from,
        means.match_id,
        means.kickoff_at,
        means.n_matches,
        {{ qualified("means", means) }}
    from means
    inner join reached
        on
            ({{ qualified("means", series) }}) = ({{ qualified("reached", series) }})
            and means.place = reached.place
{% endif %}
{% endmacro %}

{# The last matches of a series as known at each instant of `looked_up`; a row without a match where there is none. #}
{% macro last_known(series, statistics, n_matches, condition) -%}
    select
        {{ qualified("looked_up", series) }},
        looked_up.valid_from as known_at,
        row_number() over (
            partition by {{ qualified("looked_up", series) }}, looked_up.valid_from
            order by played.kickoff_at desc, played.match_id desc
        ) = 1 as is_last,
        null::bigint as place,
        played.match_id,
        played.kickoff_at,
        {{ qualified("played", statistics) }}
    from looked_up
    left join lateral (
        select * from {{ ref('team_match') }} as match
        where
            ({{ qualified("match", series) }}) = ({{ qualified("looked_up", series) }})
            and match.valid_from <= looked_up.valid_from
            and match.valid_to > looked_up.valid_from
            and {{ condition }}
        order by match.kickoff_at desc, match.match_id desc
        limit {{ n_matches }}
    ) as played on true
{%- endmacro %}
