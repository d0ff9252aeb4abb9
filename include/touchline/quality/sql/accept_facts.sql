-- a new row per fact set aside of the matches that hold a competition: of what the gate has looked at since the first of
-- the holds that led to this one
with began as (
    select min(recorded_at) as at
    from ops.competition_hold as hold
    where competition = %(competition)s and gate = %(gate)s and column_name = %(column_name)s and not exists (
        select from ops.competition_hold as ended
        inner join ops.competition_release as released using (competition_hold_id)
        where ended.competition = hold.competition and ended.gate = hold.gate and ended.column_name = hold.column_name
            and ended.competition_hold_id >= hold.competition_hold_id and released.kind <> 'widened'
    )
),

looked_at as (
    select distinct input.payload_id
    from began
    inner join ops.seen_input as seen on seen.consumer = 'check_landing' and seen.seen_at >= began.at
    inner join landing.input as input using (kind, input_id)
)

insert into landing.accepted_fact (quarantined_fact_id, competition_hold_id, accepted_as_of, run_id)
select aside.quarantined_fact_id, %(competition_hold_id)s, %(as_of)s, %(run_id)s
from looked_at
inner join landing.set_aside as aside using (payload_id)
inner join lateral (
    select concat_ws(' ', competition, season, home_team, '-', away_team) as row_key
    from landing.fixture_observation where fixture_key = aside.fixture_key order by payload_id limit 1
) as match on match.row_key = any(%(row_keys)s)
where aside.kind in ('fixture', 'score')
