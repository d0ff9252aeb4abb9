with compared as (
    select
        fresh.*, subject.competition, subject.home_team, subject.away_team, subject.kickoff_at,
        before.home_goals as home_goals_before, before.away_goals as away_goals_before
    from fresh_score as fresh
    inner join subject using (fixture_key)
    inner join lateral (
        select home_goals, away_goals, source from landing.score_observation as earlier
        where earlier.fixture_key = fresh.fixture_key and earlier.payload_id < fresh.payload_id and not exists (
            select from quarantined as bad
            where bad.kind = 'score' and bad.fixture_key = earlier.fixture_key and bad.payload_id = earlier.payload_id
        )
        order by earlier.payload_id desc limit 1
    ) as before on true
)

select
    competition, fixture_key, payload_id,
    format('%%s - %%s %%s-%%s, and %%s-%%s before, %%s days after kick-off', home_team, away_team, home_goals, away_goals,
        home_goals_before, away_goals_before, extract(day from observed_at - kickoff_at)) as reason
from compared
where sign(home_goals - away_goals) <> sign(home_goals_before - away_goals_before)
    and observed_at > kickoff_at + interval '3 days'
