-- one row per team: the strongest of those that played lately. $1 present
select name, country, elo, pi_home, pi_away from analytics.team_strength
where last_kickoff_at > $1::timestamptz - interval '120 days'
order by elo desc, name
limit 10
