-- one row per competition, season, team and instant at which results, teams or deductions became known: the table of
-- the league stage from then on
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'known'},
    indexes=[
        {'columns': ['team_id', 'season', 'valid_from', 'competition'], 'unique': true},
        {'columns': ['competition', 'season', 'valid_from']},
        {'columns': ['valid_from']},
    ],
) }}

with versions as (
    select * from {{ ref('match_version') }}
    where stage = 'league'
),

competitions as (
    select * from {{ ref('competition') }}
),

deductions as (
    select
        given.competition,
        given.season,
        {{ team_id('competitions.country', 'given.team') }} as team_id,
        given.points,
        {{ day_after('given.known_on') }} as known_at
    from {{ ref('point_deduction') }} as given
    inner join competitions on given.competition = competitions.competition
    where {{ day_after('given.known_on') }} <= {{ as_of() }}
),

rules as (
    select * from {{ ref('table_rule') }}
),

matches as (
    select
        competition,
        season,
        team_id,
        valid_from,
        valid_to,
        points,
        goals_for,
        goals_against
    from {{ ref('team_match') }}
    {% for team, opponent in [('home', 'away'), ('away', 'home')] %}
        union all
        -- A score by decree says nothing about the sides, but it counts.
        select
            competition,
            season,
            {{ team }}_team_id,
            valid_from,
            valid_to,
            {{ points(team, opponent) }},
            {{ team }}_goals,
            {{ opponent }}_goals
        from versions
        where status = 'awarded' and home_goals is not null and away_goals is not null
    {% endfor %}
),

-- In an increment, the seasons of which something new is known: their tables are added up from the first match on.
seasons as (
    select
        competition,
        season
    from versions
    {% if is_incremental() %}
        where valid_from >= {{ known_from() }} or (valid_to >= {{ known_from() }} and valid_to < {{ forever() }})
    {% endif %}
    union
    select
        competition,
        season
    from deductions
    {% if is_incremental() %}where known_at >= {{ known_from() }}{% endif %}
),

-- A team is in the table from when its first fixture of the season is known, and while one is.
teams as (
    select
        named.team_id,
        named.competition,
        named.season,
        range_agg(tstzrange(named.valid_from, named.valid_to)) as known
    from (
        select
            home_team_id as team_id,
            competition,
            season,
            valid_from,
            valid_to
        from versions
        union all
        select
            away_team_id,
            competition,
            season,
            valid_from,
            valid_to
        from versions
    ) as named
    inner join seasons on named.competition = seasons.competition and named.season = seasons.season
    group by named.competition, named.season, named.team_id
),

periods as (
    select
        competition,
        season,
        unnest(known) as period
    from teams
),

-- A result counts from when it was known until it was corrected.
gains as (
    select
        competition,
        season,
        team_id,
        valid_from,
        1 as n_played,
        points,
        0 as points_deducted,
        goals_for,
        goals_against
    from matches
    union all
    select
        competition,
        season,
        team_id,
        valid_to as valid_from,
        -1 as n_played,
        -points as points,
        0 as points_deducted,
        -goals_for as goals_for,
        -goals_against as goals_against
    from matches
    where valid_to < {{ forever() }}
    union all
    select
        deductions.competition,
        deductions.season,
        deductions.team_id,
        greatest(deductions.known_at, lower(teams.known)) as valid_from,
        0 as n_played,
        -deductions.points as points,
        deductions.points as points_deducted,
        0 as goals_for,
        0 as goals_against
    from deductions
    inner join teams
        on
            deductions.competition = teams.competition
            and deductions.season = teams.season
            and deductions.team_id = teams.team_id
),

summed as (
    select
        gains.competition,
        gains.season,
        gains.team_id,
        gains.valid_from,
        sum(gains.n_played) as n_played,
        sum(gains.points) as points,
        sum(gains.points_deducted) as points_deducted,
        sum(gains.goals_for) as goals_for,
        sum(gains.goals_against) as goals_against
    from gains
    inner join seasons on gains.competition = seasons.competition and gains.season = seasons.season
    group by gains.competition, gains.season, gains.team_id, gains.valid_from
),

instants as (
    select
        competition,
        season,
        valid_from
    from summed
    union
    select
        competition,
        season,
        lower(period) as valid_from
    from periods
    union
    select
        competition,
        season,
        upper(period) as valid_from
    from periods
    where upper(period) < {{ forever() }}
),

-- Every team at every instant, so that the table is complete also for those who did not play.
totals as (
    select
        teams.competition,
        teams.season,
        teams.team_id,
        instants.valid_from,
        teams.known @> instants.valid_from as is_known,
        coalesce(sum(summed.n_played) over so_far, 0)::int as n_played,
        coalesce(sum(summed.points) over so_far, 0)::int as points,
        coalesce(sum(summed.points_deducted) over so_far, 0)::int as points_deducted,
        coalesce(sum(summed.goals_for) over so_far, 0)::int as goals_for,
        coalesce(sum(summed.goals_against) over so_far, 0)::int as goals_against
    from teams
    inner join instants
        on
            teams.competition = instants.competition
            and teams.season = instants.season
            and lower(teams.known) <= instants.valid_from
    left join summed
        on
            teams.competition = summed.competition
            and teams.season = summed.season
            and teams.team_id = summed.team_id
            and instants.valid_from = summed.valid_from
    window so_far as (
        partition by teams.competition, teams.season, teams.team_id order by instants.valid_from
        rows between unbounded preceding and current row
    )
),

ranked as (
    select
        *,
        (rank() over (
            partition by competition, season, valid_from
            order by points desc, goals_for - goals_against desc, goals_for desc
        ))::int as position,
        (count(*) over (partition by competition, season, valid_from))::int as n_teams,
        max(n_played) over (partition by competition, season order by valid_from) as most_played_so_far
    from totals
    where is_known
)

-- Before the first result there is no table; once there was one, it stands, though all results be withdrawn.
select
    ranked.competition,
    ranked.season,
    ranked.team_id,
    ranked.valid_from,
    ranked.n_played,
    ranked.points,
    ranked.points_deducted,
    ranked.goals_for,
    ranked.goals_against,
    ranked.position,
    ranked.n_teams,
    coalesce(rules.rule, 'round_robin') as table_rule,
    nullif(
        concat_ws(', ', case when not competitions.is_simulated then 'point deductions' end, rules.may_lack), ''
    ) as may_lack
from ranked
inner join competitions on ranked.competition = competitions.competition
left join rules
    on
        ranked.competition = rules.competition
        and ranked.season >= rules.first_season
        and ranked.season <= coalesce(rules.last_season, ranked.season)
where
    ranked.most_played_so_far > 0
    {% if is_incremental() %}and ranked.valid_from >= {{ known_from() }}{% endif %}
