-- one row per match and period between two builds: its kick-off and status as a build found them
{% snapshot kickoff_snapshot %}
    select
        match_id,
        kickoff_at,
        status,
        known_at
    from {{ ref('match') }}
    -- What was played weeks ago does not move any more.
    where kickoff_at > {{ as_of() }} - interval '14 days'
{% endsnapshot %}
