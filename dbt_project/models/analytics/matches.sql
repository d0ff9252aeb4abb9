-- one row per match, played or ahead: its result, its statistics and the market's view of it
with matches as (
    select * from {{ ref('match') }}
    where status <> 'superseded'
),

competitions as (
    select * from {{ ref('competition') }}
),

results as (
    select * from {{ ref('match_result') }}
),

consensus as not materialized (
    select * from {{ ref('match_odds') }}
    where bookmaker = 'consensus'
)

select
    matches.match_id,
    matches.competition,
    competitions.name as competition_name,
    matches.country,
    matches.tier,
    matches.season,
    matches.kickoff_at,
    matches.kickoff_on,
    matches.is_kickoff_time_known,
    matches.status,
    matches.stage,
    matches.is_played,
    matches.home_team_id,
    matches.away_team_id,
    matches.home_team,
    matches.away_team,
    results.home_goals,
    results.away_goals,
    results.home_goals + results.away_goals as n_goals,
    results.outcome,
    results.home_goals_half_time,
    results.away_goals_half_time,
    results.home_shots,
    results.away_shots,
    results.home_shots_on_target,
    results.away_shots_on_target,
    results.home_corners,
    results.away_corners,
    results.home_fouls,
    results.away_fouls,
    results.home_yellow_cards,
    results.away_yellow_cards,
    results.home_red_cards,
    results.away_red_cards,
    results.referee,
    results.known_at as result_known_at,
    prematch.price_home,
    prematch.price_draw,
    prematch.price_away,
    prematch.overround,
    prematch.p_home as p_market_home,
    prematch.p_draw as p_market_draw,
    prematch.p_away as p_market_away,
    closing.price_home as closing_price_home,
    closing.price_draw as closing_price_draw,
    closing.price_away as closing_price_away,
    closing.overround as closing_overround,
    closing.p_home as p_market_closing_home,
    closing.p_draw as p_market_closing_draw,
    closing.p_away as p_market_closing_away,
    goals_market.price_over as price_over_2_5,
    goals_market.price_under as price_under_2_5,
    goals_market.p_over as p_market_over_2_5,
    matches.is_simulated
from matches
inner join competitions on matches.competition = competitions.competition
left join results on matches.match_id = results.match_id
-- The whole key of match_odds in each join, so that the planner leaves out prices nobody selects.
left join consensus as prematch
    on
        matches.match_id = prematch.match_id
        and prematch.market = '1x2'
        and prematch.stage = 'prematch'
        and prematch.line = 0
left join consensus as closing
    on
        matches.match_id = closing.match_id
        and closing.market = '1x2'
        and closing.stage = 'closing'
        and closing.line = 0
left join consensus as goals_market
    on
        matches.match_id = goals_market.match_id
        and goals_market.market = 'over_under'
        and goals_market.stage = 'prematch'
        and goals_market.line = 2.5
