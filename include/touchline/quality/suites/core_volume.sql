-- one row per competition and day of the last two weeks: its matches against the same weekday and stage (hundred days
-- of the season) before, in robust deviations (median, MAD)
with days as (
    select
        competition, season, kickoff_on, extract(dow from kickoff_on) as weekday,
        (kickoff_on - min(kickoff_on) over (partition by competition, season)) / 100 as stage, count(*) as n
    from core.match
    where status not in ('superseded', 'postponed', 'cancelled')
        and kickoff_on between %(as_of)s::date - 1500 and %(as_of)s::date + 7
    group by competition, season, kickoff_on
),

recent as (
    select * from days where kickoff_on > %(as_of)s::date - 14
),

usual as (
    select competition, weekday, stage, percentile_cont(0.5) within group (order by n) as median
    from days
    where kickoff_on <= %(as_of)s::date - 14
    group by competition, weekday, stage
    having count(*) >= 5
),

spread as (
    select
        competition, weekday, stage, median,
        percentile_cont(0.5) within group (order by abs(n - median)) as deviation
    from usual
    inner join days using (competition, weekday, stage)
    where kickoff_on <= %(as_of)s::date - 14
    group by competition, weekday, stage, median
)

select
    concat_ws(' ', competition, kickoff_on, n, 'matches, usually', median) as row_key, competition,
    (n - median) / greatest(1.4826 * deviation, 1) as excess
from recent
inner join spread using (competition, weekday, stage)
