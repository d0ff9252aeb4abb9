-- one row per team: how a season may end, by the latest forecast. $1 competition, $2 season, the newest forecast if null
select
    competition, season, team_id, team, forecast_at, model_version, n_simulations, n_played, n_left, points,
    expected_points, points_low, points_high, p_title, p_champions_league, p_europe, p_championship_play_off,
    p_promotion, p_promotion_play_off, p_relegation_play_off, p_relegation, not_simulated, final_place, final_points,
    is_simulated
from analytics.season_forecasts
where is_latest and competition = $1
    and season = coalesce($2::text, (select max(season) from analytics.season_forecasts where competition = $1))
