-- one row per match of the favourites whose last prediction of the champion was settled since $4, the last ones first. A
-- result that comes more than a month after kick-off is no news. $1 present, $2 competitions, $3 teams, $5 limit
with last_word as (
    select distinct on (match_id) *
    from ledger.prediction
    where kickoff_at > $4::timestamptz - interval '31 days' and kickoff_at <= $1 and role = 'champion'
        and (competition = any($2::text[]) or home_team = any($3::text[]) or away_team = any($3::text[]))
    order by match_id, predicted_at desc, prediction_id desc
)

select
    last_word.match_id, last_word.kickoff_at, last_word.competition, last_word.home_team, last_word.away_team,
    last_word.prediction_id, last_word.p_home, last_word.p_draw, last_word.p_away,
    outcome.home_goals, outcome.away_goals, outcome.outcome, outcome.is_correct, outcome.settled_at
from last_word
cross join lateral (
    select * from ledger.prediction_outcome
    where prediction_id = last_word.prediction_id and settled_at <= $1
    order by revision desc
    limit 1
) as outcome
where outcome.settled_at > $4
order by outcome.settled_at desc, last_word.kickoff_at desc, last_word.prediction_id
limit $5
