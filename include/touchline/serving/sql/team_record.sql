-- one row per competition and season: how the champion's settled predictions of a team's matches scored, newest first, with
-- the points that it gave the team on average and those that the team won. $1 team
select
    settled.competition, settled.season, count(*)::int as n, avg(settled.rps) as rps, avg(settled.log_loss) as log_loss,
    avg(settled.brier) as brier, count(settled.closing_log_loss)::int as n_with_closing,
    avg(settled.log_loss - settled.closing_log_loss) as log_loss_behind_closing,
    sum(3 * case when match.home_team_id = $1 then settled.p_home else settled.p_away end + settled.p_draw)
        as expected_points,
    sum(
        case
            when settled.outcome = 'draw' then 1
            when (settled.outcome = 'home') = (match.home_team_id = $1) then 3
            else 0
        end
    )::int as points
from analytics.settled_predictions as settled
inner join core.match as match on match.match_id = settled.match_id
where settled.role = 'champion' and $1 in (match.home_team_id, match.away_team_id)
group by settled.competition, settled.season
order by max(settled.kickoff_at) desc
