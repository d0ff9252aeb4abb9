select
    alike.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s %%s-%%s, as all %%s matches of %%s', home_team, away_team, fresh.home_goals, fresh.away_goals,
        alike.n, subject.kickoff_on) as reason
from (
    select subject.competition, fresh.payload_id, subject.kickoff_on, count(*) as n
    from fresh_score as fresh
    inner join subject using (fixture_key)
    group by subject.competition, fresh.payload_id, subject.kickoff_on
    having count(*) >= 5 and count(distinct (home_goals, away_goals)) = 1
) as alike
inner join fresh_score as fresh using (payload_id)
inner join subject
    on subject.fixture_key = fresh.fixture_key and subject.competition = alike.competition
    and subject.kickoff_on = alike.kickoff_on
