-- one row per settled prediction of a champion, the ones that the board's track record counts; with the pre-match market's
-- last word on the same match, and what the champion had seen of it. $1 present, $2 name of the market's forecast
with settled as (
    select * from analytics.settled_predictions where settled_at <= $1
),

market as (
    select distinct on (match_id) match_id, p_home, p_draw, p_away
    from settled
    where role = 'baseline' and forecast = $2
    order by match_id, predicted_at desc, prediction_id desc
)

select
    settled.prediction_id::text as prediction_id, settled.match_id::text as match_id, settled.competition, settled.season,
    to_char(settled.kickoff_at, 'YYYY-MM') as month, settled.home_team, settled.away_team, settled.kickoff_at,
    settled.predicted_at, settled.model_version, settled.forecast, settled.rests_on, settled.home_goals,
    settled.away_goals, settled.outcome, settled.rps, settled.log_loss, settled.is_correct::int as is_correct,
    settled.closing_log_loss,
    settled.p_home as p_champion_home, settled.p_draw as p_champion_draw, settled.p_away as p_champion_away,
    market.p_home as p_market_prematch_home, market.p_draw as p_market_prematch_draw,
    market.p_away as p_market_prematch_away,
    settled.p_closing_home as p_market_closing_home, settled.p_closing_draw as p_market_closing_draw,
    settled.p_closing_away as p_market_closing_away
from settled
left join market using (match_id)
where settled.role = 'champion'
order by settled.kickoff_at, settled.match_id, settled.prediction_id
