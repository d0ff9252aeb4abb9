-- one row per match and period between two builds: its kick-off and status as a build found them
{% snapshot kickoff_snapshot %}
    select
        match_id,
        kickoff_at,
        status,
        {{ as_of() }} as found_as_of
    from {{ ref('match') }}
    -- What was played weeks ago does not move any more.
    where kickoff_at > {{ as_of() }} - interval '14 days' and {{ is_news() }}
{% endsnapshot %}
