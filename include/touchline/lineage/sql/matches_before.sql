-- one row per earlier match of the home side or the away side of a match, latest first: what its ratings, form and
-- season were made of, with kick-off and result as they were known when the features were made
select
    match.match_id::text as match_id, listed.kickoff_at, match.competition, match.home_team, match.away_team,
    observed.home_goals, observed.away_goals, observed.known_at, observed.payload_id, observed.row_number
from core.match as target
inner join core.match as match
    on case when %(is_home)s then target.home_team_id else target.away_team_id end
        in (match.home_team_id, match.away_team_id)
inner join lateral (
    select home_goals, away_goals, payload_id, row_number, known_at
    from landing.score_observation as observation
    where fixture_key = match.match_id and known_at <= %(features_as_of)s and not exists (
        select from landing.set_aside as aside
        where aside.kind = 'score' and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id
    )
    order by array_position(%(scores)s::text[], source), known_at desc, observed_at desc, payload_id desc
    limit 1
) as observed on true
inner join lateral (
    select kickoff_at, status
    from landing.fixture_observation as observation
    where fixture_key = match.match_id and known_at <= %(features_as_of)s and not exists (
        select from landing.set_aside as aside
        where aside.kind = 'fixture' and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id
    )
    order by array_position(%(fixtures)s::text[], source), known_at desc, observed_at desc, payload_id desc
    limit 1
) as listed on listed.status not in ('awarded', 'abandoned', 'cancelled', 'withdrawn')
where target.match_id = %(match_id)s and listed.kickoff_at < %(kickoff_at)s and match.stage = 'league'
order by match.kickoff_at desc, match.match_id
limit %(limit)s
