-- one row per name that waits for a person
with last_link as (
    select distinct on (source, country, alias) source, country, alias, team
    from landing.team_link order by source, country, alias, team_link_id desc
),

last_review as (
    select distinct on (source, country, alias) source, country, competition, season, alias, candidate, score,
        runner_up, runner_up_score, observed_at
    from landing.team_review order by source, country, alias, team_review_id desc
)

select last_review.* from last_review left join last_link using (source, country, alias)
where last_link.team is null
order by source, country, competition, alias
