-- one row per match with the number of things that are missing
-- Everything where there is no instant `since`; otherwise matches that kick off after it, and those with a fact from a
-- payload that the gate has not looked at, or that was replayed or accepted since.
select
    concat_ws(' ', match.competition, season, home_team, away_team, match_id) as row_key, match.competition,
    match_id::text as match_id, kickoff_at,
    (home.team_id is null)::int + (away.team_id is null)::int as n_unknown_teams,
    (is_played and result.match_id is null)::int as n_results_missing
from core.match
left join core.team as home on home.team_id = home_team_id
left join core.team as away on away.team_id = away_team_id
left join core.match_result as result using (match_id)
where
    %(since)s::timestamptz is null
    or match.kickoff_at > %(since)s
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
    or kickoff_at is null
