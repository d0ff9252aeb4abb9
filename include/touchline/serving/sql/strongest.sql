-- one row per team: the strongest of those that played lately, by country, since teams of two countries never meet: ten
-- of a competition's country, or about ten in all. $1 present, $2 competition
with lately as (
    select
        name, country, elo, pi_home, pi_away, dense_rank() over (order by country) as country_number,
        row_number() over (partition by country order by elo desc, name) as place
    from analytics.team_strength
    where last_kickoff_at > $1::timestamptz - interval '120 days'
        and ($2::text is null or country = (select country from core.competition where competition = $2))
)

select name, country, elo, pi_home, pi_away
from lately
where place <= greatest(1, 10 / (select max(country_number) from lately))
order by country, place
