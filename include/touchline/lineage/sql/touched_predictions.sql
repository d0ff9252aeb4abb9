-- one row per prediction whose features could rest on a payload, as known when they were made, and through what.
-- A fact set aside is out of staging whenever that was done, so nothing is taken to rest on it.
-- A result holds until a source whose word counts more, or later news of one that counts as much, takes its place.
with results as materialized (
    select
        own.fixture_key, own.known_at, own.home_goals, own.away_goals, match.kickoff_at, match.home_team_id,
        match.away_team_id, match.home_team, match.away_team,
        coalesce(
            (
                select min(greatest(later.known_at, own.known_at))
                from landing.score_observation as later
                where later.fixture_key = own.fixture_key
                    and (
                        -coalesce(array_position(%(scores)s::text[], later.source), 1000), later.known_at,
                        later.observed_at, later.payload_id
                    ) > (
                        -coalesce(array_position(%(scores)s::text[], own.source), 1000), own.known_at,
                        own.observed_at, own.payload_id
                    )
                    and not exists (
                        select from landing.set_aside as aside
                        where aside.kind = 'score' and aside.fixture_key = later.fixture_key
                            and aside.payload_id = later.payload_id
                    )
            ),
            'infinity'::timestamptz
        ) as known_until
    from landing.score_observation as own
    inner join core.match as match on match.match_id = own.fixture_key
    where own.payload_id = %(payload_id)s and match.stage = 'league' and not exists (
        select from landing.set_aside as aside
        where aside.kind = 'score' and aside.fixture_key = own.fixture_key and aside.payload_id = own.payload_id
    )
),

sides as (
    select *, unnest(array[home_team_id, away_team_id]) as team_id from results
),

played as (
    select team_id, match.match_id, match.kickoff_at, match.is_played
    from (select distinct team_id from sides) as teams
    inner join core.match as match on match.home_team_id = teams.team_id
    union all
    select team_id, match.match_id, match.kickoff_at, match.is_played
    from (select distinct team_id from sides) as teams
    inner join core.match as match on match.away_team_id = teams.team_id
),

-- By what is played today: a narrow choice of matches, of which those near enough as known then are taken below.
numbered as materialized (
    select *, count(*) filter (where is_played) over (
        partition by team_id order by kickoff_at, match_id rows between unbounded preceding and 1 preceding
    ) as n_before
    from played
),

-- Fewer than so many matches of the side, known as played when the features were made, came between.
through_results as (
    select
        said.prediction_id,
        format('result %%s %%s-%%s %%s', sides.home_team, sides.home_goals, sides.away_goals, sides.away_team) as way
    from sides
    inner join numbered as own on own.team_id = sides.team_id and own.match_id = sides.fixture_key
    inner join numbered as later
        on later.team_id = sides.team_id and later.n_before between own.n_before and own.n_before + 2 * %(look_back)s
    inner join ledger.prediction as said on said.match_id = later.match_id
    where sides.kickoff_at < said.kickoff_at
        and said.features_as_of >= sides.known_at and said.features_as_of < sides.known_until
        and (
            select count(*) from features.team_match
            where team_id = sides.team_id
                and kickoff_at > sides.kickoff_at and kickoff_at < said.kickoff_at
                and valid_from <= said.features_as_of and valid_to > said.features_as_of
        ) < %(look_back)s
),

-- The payload's quotes were observed when it was, so one month is read.
through_quotes as (
    select distinct said.prediction_id, 'quotes' as way
    from landing.odds_observation as own
    inner join ledger.prediction as said on said.match_id = own.fixture_key
    where own.observed_at = %(observed_at)s and own.payload_id = %(payload_id)s
        and not own.is_closing and own.known_at <= said.features_as_of
        and not exists (
            select from landing.set_aside as aside
            where aside.kind = 'quote' and aside.fixture_key = own.fixture_key
                and aside.payload_id = own.payload_id and aside.bookmaker = own.bookmaker
                and aside.market = own.market and aside.line = own.line and aside.is_closing = own.is_closing
        )
        and not exists (
            select from landing.odds_observation as later
            where later.fixture_key = own.fixture_key and later.bookmaker = own.bookmaker
                and later.market = own.market and later.line = own.line and not later.is_closing
                and later.known_at <= said.features_as_of
                and (later.known_at, later.observed_at, later.payload_id, later.quoted_at, later.row_number)
                > (own.known_at, own.observed_at, own.payload_id, own.quoted_at, own.row_number)
                and not exists (
                    select from landing.set_aside as aside
                    where aside.kind = 'quote' and aside.fixture_key = later.fixture_key
                        and aside.payload_id = later.payload_id and aside.bookmaker = later.bookmaker
                        and aside.market = later.market and aside.line = later.line
                        and aside.is_closing = later.is_closing
                )
        )
),

through_fixture as (
    select said.prediction_id, 'fixture' as way
    from landing.fixture_observation as own
    inner join ledger.prediction as said on said.match_id = own.fixture_key
    where own.payload_id = %(payload_id)s and own.known_at <= said.features_as_of and own.payload_id = (
        select payload_id
        from landing.fixture_observation as observation
        where fixture_key = own.fixture_key and known_at <= said.features_as_of and not exists (
            select from landing.set_aside as aside
            where aside.kind = 'fixture' and aside.fixture_key = observation.fixture_key
                and aside.payload_id = observation.payload_id
        )
        order by array_position(%(fixtures)s::text[], source), known_at desc, observed_at desc, payload_id desc
        limit 1
    )
),

ways as (
    select prediction_id, array_agg(distinct way order by way) as through
    from (
        select * from through_results
        union all
        select * from through_quotes
        union all
        select * from through_fixture
    ) as found
    group by prediction_id
)

select
    said.prediction_id::text as prediction_id, said.match_id::text as match_id, said.competition, said.kickoff_at,
    said.home_team, said.away_team, said.model_name, said.model_version, said.forecast, said.role, said.predicted_at,
    said.features_as_of, said.is_simulated, ways.through
from ways
inner join ledger.prediction as said using (prediction_id)
order by said.kickoff_at, said.match_id, said.predicted_at, said.role, said.forecast, said.prediction_id
