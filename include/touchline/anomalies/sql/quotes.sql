-- one row per quote of the matches to judge, and of the last ones of each competition before them, for comparison
with ranked as (
    select match_id, row_number() over (partition by competition order by kickoff_at desc, match_id) as back
    from core.match
    where kickoff_at <= %(since)s and kickoff_at > %(year_before)s and is_played
),
chosen as (
    select match_id from ranked where back <= %(reference)s
    union
    select match_id from core.match
    where kickoff_at > %(correctable)s and kickoff_at <= %(as_of)s::timestamptz + %(ahead)s::interval
)
select match.match_id, match.competition, match.season, match.home_team, match.away_team, match.kickoff_at,
    odds.bookmaker, odds.market, odds.line, odds.stage, odds.price_home, odds.price_draw, odds.price_away,
    odds.price_over, odds.price_under, odds.known_at
from chosen
inner join core.match on chosen.match_id = match.match_id
inner join core.match_odds as odds on chosen.match_id = odds.match_id
where odds.known_at <= %(as_of)s and odds.bookmaker <> 'consensus'
order by match.kickoff_at, match.match_id, odds.bookmaker, odds.market, odds.line, odds.stage
