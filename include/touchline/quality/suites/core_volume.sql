-- one row per competition and day of the last two weeks and the next: the matches beyond one for every two teams, since
-- a team plays once a day. Full rounds on odd days (at Christmas, before a break) are nothing unusual.
select
    concat_ws(' ', competition, kickoff_on, n, 'matches of', n_teams, 'teams') as row_key, competition,
    n - n_teams / 2.0 as excess
from (
    select competition, kickoff_on, count(distinct match_id) as n, count(distinct team) as n_teams
    from core.match cross join lateral unnest(array[home_team, away_team]) as team
    where status not in ('superseded', 'postponed', 'cancelled')
        and kickoff_on between %(as_of)s::date - 14 and %(as_of)s::date + 7
    group by competition, kickoff_on
) as days
