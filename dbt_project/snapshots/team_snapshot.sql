-- one row per team and period between two builds: its name and the league it played in, as a build found them
{% snapshot team_snapshot %}
    with matches as (
        select * from {{ ref('match') }}
        where kickoff_at between {{ as_of() }} - interval '120 days' and {{ as_of() }} + interval '30 days'
    ),

    appearances as (
        select
            home_team_id as team_id,
            home_team as name,
            competition,
            kickoff_at
        from matches
        union all
        select
            away_team_id as team_id,
            away_team as name,
            competition,
            kickoff_at
        from matches
    )

    select distinct on (team_id)
        team_id,
        name,
        competition,
        {{ as_of() }} as found_as_of
    from appearances
    where {{ is_news() }}
    order by team_id, kickoff_at desc, competition
{% endsnapshot %}
