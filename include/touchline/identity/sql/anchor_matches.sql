-- one row per match of the season and the one before, as the anchor source last announced it: a moved kick-off leaves
-- several observations of a match, of which the last one known counts
with observed as (
    select distinct on (fixture_key) competition, season, home_team, away_team, kickoff_on, status
    from landing.fixture_observation
    where source = %(anchor)s and competition = any(%(competitions)s) and known_at <= %(as_of)s
    order by fixture_key, known_at desc, payload_id desc
),

ranked as (
    select observed.*, dense_rank() over (partition by competition order by season desc) as season_rank
    from observed
    where season <= %(season)s and status <> 'withdrawn'
)

select competition, season, home_team, away_team, kickoff_on, status from ranked where season_rank <= 2
