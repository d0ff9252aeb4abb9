select
    subject.competition, fresh.fixture_key, fresh.payload_id,
    format('%%s - %%s: %%s says %%s-%%s, %%s says %%s-%%s; %%s stands', home_team, away_team, fresh.source, fresh.home_goals,
        fresh.away_goals, other.source, other.home_goals, other.away_goals,
        case when coalesce(array_position(%(priorities)s::text[], fresh.source), 1000)
            < coalesce(array_position(%(priorities)s::text[], other.source), 1000)
            then fresh.source else other.source end) as reason
from fresh_score as fresh
inner join subject using (fixture_key)
inner join lateral (
    select distinct on (earlier.source) earlier.source, earlier.home_goals, earlier.away_goals
    from landing.score_observation as earlier
    where earlier.fixture_key = fresh.fixture_key and earlier.source <> fresh.source
        and earlier.observed_at <= %(as_of)s
    order by earlier.source, earlier.payload_id desc
) as other on (other.home_goals, other.away_goals) <> (fresh.home_goals, fresh.away_goals)
