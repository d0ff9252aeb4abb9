select
    competition, fixture_key, payload_id,
    format('%%s - %%s %%s-%%s, and %%s-%%s before; so are %%s results of this body', home_team, away_team, home_goals,
        away_goals, away_goals, home_goals, n_swapped) as reason
from (
    select
        *,
        count(*) filter (where is_swapped) over body as n_swapped,
        count(*) filter (where home_goals <> away_goals) over body as n_decided
    from score_move window body as (partition by payload_id, competition)
) as counted
where is_swapped and n_swapped >= 3 and n_swapped >= 0.8 * n_decided
