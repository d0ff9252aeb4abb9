-- one row per match: the features that have bounds
-- Everything where there is no instant `since`; otherwise matches that kick off after it, and those with a fact from a
-- payload that the gate has not looked at, or that was replayed or accepted since.
select
    concat_ws(' ', features.competition, match_id) as row_key, features.competition, match_id::text as match_id,
    home_elo, away_elo, home_pi, away_pi, home_points_5, away_points_5, season_progress,
    least(market_price_home, market_price_draw, market_price_away) as lowest_price,
    extract(epoch from features.kickoff_at - features_as_of)::float8 as seconds_to_kickoff,
    extract(epoch from %(as_of)s - features_as_of)::float8 as seconds_before_as_of
from features.match_features as features
inner join core.match using (match_id)
where
    %(since)s::timestamptz is null
    or features.kickoff_at > %(since)s
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
