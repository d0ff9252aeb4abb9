-- one row per result: its goals, and whether it became known after kick-off of a match that there is
-- Everything where there is no instant `since`; otherwise matches that kick off after it, and those with a fact from a
-- payload that the gate has not looked at, or that was replayed or accepted since.
select
    concat_ws(' ', match.competition, home_team, away_team, match_result.match_id) as row_key,
    coalesce(match.competition, '') as competition, (home_goals + away_goals)::float8 as goals,
    (match.match_id is null)::int as n_without_match,
    extract(epoch from match_result.known_at - match.kickoff_at)::float8 as seconds_after_kickoff
from core.match_result
left join core.match using (match_id)
where
    %(since)s::timestamptz is null
    or match.kickoff_at > %(since)s
    or not exists (
        select from ops.seen_input as seen
        where seen.consumer = 'check_' || %(gate)s and seen.kind = 'payload' and seen.input_id = match_result.payload_id
            and seen.as_of <= %(as_of)s
    )
    or match_result.payload_id in (
        select again.payload_id from landing.input as again
        where again.kind <> 'payload' and not exists (
            select from ops.seen_input as seen
            where seen.consumer = 'check_' || %(gate)s and seen.kind = again.kind
                and seen.input_id = again.input_id and seen.as_of <= %(as_of)s
        )
    )
    or not exists (
        select from ops.seen_input as seen
        where seen.consumer = 'check_' || %(gate)s and seen.kind = 'payload' and seen.input_id = match.payload_id
            and seen.as_of <= %(as_of)s
    )
    or match.payload_id in (
        select again.payload_id from landing.input as again
        where again.kind <> 'payload' and not exists (
            select from ops.seen_input as seen
            where seen.consumer = 'check_' || %(gate)s and seen.kind = again.kind
                and seen.input_id = again.input_id and seen.as_of <= %(as_of)s
        )
    )
    or match.match_id is null
