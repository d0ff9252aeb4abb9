with compared as (
    select
        fresh.*, subject.competition, subject.home_team, subject.away_team,
        before.home_goals = fresh.away_goals and before.away_goals = fresh.home_goals
        and fresh.home_goals <> fresh.away_goals as is_swapped
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
    format('%%s - %%s %%s-%%s, and %%s-%%s before; so are %%s results of this body', home_team, away_team, home_goals,
        away_goals, away_goals, home_goals, n_swapped) as reason
from (
    select
        *,
        count(*) filter (where is_swapped) over body as n_swapped,
        count(*) filter (where home_goals <> away_goals) over body as n_decided
    from compared window body as (partition by payload_id, competition)
) as counted
where is_swapped and n_swapped >= 3 and n_swapped >= 0.8 * n_decided
