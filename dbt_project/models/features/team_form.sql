-- one row per team and played match: the team's form after that match
{{ config(indexes=[
    {'columns': ['team_id', 'match_id'], 'unique': true},
    {'columns': ['team_id', 'valid_from']},
    {'columns': ['team_id', 'is_home', 'valid_from']},
    {'columns': ['team_id', 'kickoff_at']},
]) }}

{% set statistics = [
    'goals_for', 'goals_against', 'shots_for', 'shots_against',
    'shots_on_target_for', 'shots_on_target_against', 'points',
] %}
{% set spans = [5, 10, 20] %}

with matches as (
    select * from {{ ref('match') }}
),

results as (
    select * from {{ ref('match_result') }}
),

appearances as (
    select
        matches.home_team_id as team_id,
        matches.match_id,
        matches.kickoff_at,
        results.known_at,
        true as is_home,
        results.home_goals::int as goals_for,
        results.away_goals::int as goals_against,
        results.home_shots::int as shots_for,
        results.away_shots::int as shots_against,
        results.home_shots_on_target::int as shots_on_target_for,
        results.away_shots_on_target::int as shots_on_target_against,
        case results.outcome when 'home' then 3 when 'draw' then 1 else 0 end as points
    from matches
    inner join results on matches.match_id = results.match_id
    union all
    select
        matches.away_team_id,
        matches.match_id,
        matches.kickoff_at,
        results.known_at,
        false as is_home,
        results.away_goals::int,
        results.home_goals::int,
        results.away_shots::int,
        results.home_shots::int,
        results.away_shots_on_target::int,
        results.home_shots_on_target::int,
        case results.outcome when 'away' then 3 when 'draw' then 1 else 0 end as points
    from matches
    inner join results on matches.match_id = results.match_id
)

select
    team_id,
    match_id,
    kickoff_at,
    is_home,
    max(known_at) over career as valid_from,
    {% for span in spans %}
        {% for statistic in statistics %}
            sum({{ statistic }}) over last_{{ span }}::double precision
            / nullif(count({{ statistic }}) over last_{{ span }}, 0) as {{ statistic }}_{{ span }},
        {% endfor %}
    {% endfor %}
    sum(goals_for) over venue_10::double precision / count(*) over venue_10 as venue_goals_for_10,
    sum(goals_against) over venue_10::double precision / count(*) over venue_10 as venue_goals_against_10,
    sum(points) over venue_10::double precision / count(*) over venue_10 as venue_points_10
from appearances
window
    career as (
        partition by team_id order by kickoff_at, match_id
        rows between unbounded preceding and current row
    ),
    {% for span in spans %}
        last_{{ span }} as (
            partition by team_id order by kickoff_at, match_id
            rows between {{ span - 1 }} preceding and current row
        ),
    {% endfor %}
    venue_10 as (
        partition by team_id, is_home order by kickoff_at, match_id
        rows between 9 preceding and current row
    )
