-- one row per competition: how many of the fixtures of `upcoming` it has
-- $1 role, $2 present, $3 from, $4 to, $5 competition
select match.competition, min(competition.name) as competition_name, count(*) as n
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
cross join lateral (
    select distinct on (case when role = 'baseline' then forecast end) *
    from ledger.prediction
    where match_id = match.match_id and role = $1 and predicted_at <= $2
    order by case when role = 'baseline' then forecast end, predicted_at desc, prediction_id desc
) as prediction
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $2
    and ($3::timestamptz is null or match.kickoff_at >= $3)
    and ($4::timestamptz is null or match.kickoff_at <= $4)
    and ($5::text is null or match.competition = $5)
group by match.competition
order by match.competition
