-- one row per match whose overround is impossible, so that it can be accepted by name, and one per competition
-- Everything where there is no instant `since`; otherwise matches that kick off after it, and those with a fact from a
-- payload that the gate has not looked at, or that was replayed or accepted since.
with priced as (
    select
        match.competition, is_impossible,
        concat_ws(' ', match.competition, season, home_team, away_team, match.match_id) as match_key,
        avg(is_impossible::int) over competition_::float8 as share_impossible,
        avg(odds.overround) over competition_::float8 as mean_overround,
        row_number() over (partition by match.competition order by is_impossible, match.match_id) as place
    from core.match
    inner join core.match_odds as odds using (match_id)
    cross join lateral (select odds.overround not between %(lowest)s and %(highest)s as is_impossible) as judged
    where odds.bookmaker = 'consensus' and odds.market = '1x2' and (
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
    )
    window competition_ as (partition by match.competition)
)

select
    case when is_impossible then match_key else competition end as row_key, competition, share_impossible,
    case when place = 1 then mean_overround end as mean_overround
from priced
where is_impossible or place = 1
