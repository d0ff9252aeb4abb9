with history as (
    select competition, avg(home_goals + away_goals) as mean, stddev_samp(home_goals + away_goals) as deviation
    from landing.score_observation as score
    inner join landing.fixture_observation as fixture using (fixture_key)
    where score.known_at <= %(as_of)s and competition in (select competition from subject) and not exists (
            select from fresh_payload as fresh
            where fresh.payload_id = score.payload_id and score.known_at >= fresh.known_since
        )
    group by competition
    having count(*) >= 50
),

bodies as (
    select subject.competition, fresh.payload_id, count(*) as n, avg(home_goals + away_goals) as mean
    from fresh_score as fresh
    inner join subject using (fixture_key)
    group by subject.competition, fresh.payload_id
    having count(*) >= 5
)

select
    bodies.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s %%s-%%s: %%s goals a match in the %%s new results of this body, %%s otherwise', home_team, away_team,
        home_goals, away_goals, round(bodies.mean, 2), n, round(history.mean, 2)) as reason
from bodies
inner join history using (competition)
inner join fresh_score as fresh using (payload_id)
inner join subject on subject.fixture_key = fresh.fixture_key and subject.competition = bodies.competition
where bodies.mean > 1.5 * history.mean and bodies.mean > history.mean + 3.5 * history.deviation / sqrt(n)
