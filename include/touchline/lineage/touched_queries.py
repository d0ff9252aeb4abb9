"""The SQL from a payload forward. Observations of a payload are observed when it was, so one month is read."""

from __future__ import annotations

from typing import Final

from touchline.lineage.queries import FIXTURE_IS_USED, QUOTE_IS_USED, RANK, SCORE_IS_USED

PAYLOAD: Final = """
select
    payload.payload_id, payload.source, payload.endpoint, payload.observed_at, payload.is_backfill,
    encode(payload.content_hash, 'hex') as content_hash, payload.n_bytes, payload.run_id,
    parsed.n_rows, parsed.n_parsed, parsed.n_rejected, parsed.n_rejected_prices, parsed.parsed_at,
    (select count(*) from landing.payload_seen as seen where seen.payload_id = payload.payload_id) as n_seen_again,
    (select is_simulated from ops.world) as is_simulated
from landing.payload as payload
left join landing.payload_parsed as parsed using (payload_id)
where payload.payload_id = %s
"""

_QUOTES: Final = """
    select fixture_key, bookmaker, market, line, is_closing, known_at, quoted_at, row_number
    from landing.odds_observation as observation
    where observed_at = %(observed_at)s and payload_id = %(payload_id)s
"""
_USED_QUOTES: Final = f"{_QUOTES} and {QUOTE_IS_USED}"

FACTS: Final = f"""
select
    fixture_key::text as match_id, bool_or(kind = 'fixture') as is_fixture, bool_or(kind = 'score') as is_score,
    count(*) filter (where kind = 'quote') as n_quotes, min(row_number) as row_number, min(known_at) as known_at
from (
    select 'fixture' as kind, fixture_key, row_number, known_at
    from landing.fixture_observation where payload_id = %(payload_id)s
    union all
    select 'score', fixture_key, row_number, known_at
    from landing.score_observation where payload_id = %(payload_id)s
    union all
    select 'quote', fixture_key, row_number, known_at from ({_QUOTES}) as quotes
) as facts
group by fixture_key
"""  # noqa: S608

# As the sources named them: also matches that are not built yet have a name.
NAMES: Final = """
select distinct on (fixture_key)
    fixture_key::text as match_id, competition, season, kickoff_at, home_team, away_team
from landing.fixture_observation
where fixture_key = any(%s::text[]::uuid[])
order by fixture_key, known_at desc, observed_at desc, payload_id desc
"""

REJECTED: Final = """
select
    rejected.row_number, rejected.scope, rejected.rule, rejected.field, rejected.value, rejected.reason,
    settled.recorded_at as settled_at
from landing.rejected_row as rejected
left join landing.rejected_row_settled as settled using (rejected_row_id)
where rejected.payload_id = %(payload_id)s
order by rejected.row_number, rejected.rejected_row_id
"""

SET_ASIDE: Final = """
select
    kind, fixture_key::text as match_id, bookmaker, market, line, is_closing, array_agg(rule order by rule) as rules,
    array_agg(reason order by rule) as reasons, min(observed_at) as set_aside_at
from landing.quarantined_fact
where payload_id = %(payload_id)s
group by kind, fixture_key, bookmaker, market, line, is_closing
order by min(quarantined_fact_id)
"""

# Results of this payload with their match, and the instant at which a later word took their place.
_RESULTS: Final = f"""
results as materialized (
    select
        own.fixture_key, own.known_at, match.kickoff_at, match.competition, match.country, match.home_team_id,
        match.away_team_id, match.home_team, match.away_team, own.home_goals, own.away_goals,
        coalesce(
            (
                select min(greatest(later.known_at, own.known_at))
                from (
                    select known_at, observed_at, payload_id, {RANK.format(kind="scores")} as place
                    from landing.score_observation as observation
                    where fixture_key = own.fixture_key and {SCORE_IS_USED}
                ) as later
                where later.payload_id <> own.payload_id and (
                    later.place < own.place
                    or later.place = own.place
                    and (later.known_at, later.observed_at, later.payload_id)
                    > (own.known_at, own.observed_at, own.payload_id))
            ),
            'infinity'::timestamptz
        ) as known_until
    from (
        select *, {RANK.format(kind="scores")} as place
        from landing.score_observation as observation
        where payload_id = %(payload_id)s and {SCORE_IS_USED}
    ) as own
    inner join core.match as match on match.match_id = own.fixture_key
)
"""  # noqa: S608

# How many matches of the side, known as played when the features were made, came between a match and the one predicted.
_PLAYED_BETWEEN: Final = """(
            select count(*) from features.team_match
            where team_id = sides.team_id
                and kickoff_at > sides.kickoff_at and kickoff_at < said.kickoff_at
                and valid_from <= said.features_as_of and valid_to > said.features_as_of
        )"""

PREDICTIONS: Final = f"""
with {_RESULTS},

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
        and {_PLAYED_BETWEEN} < %(look_back)s
),

through_quotes as (
    select distinct said.prediction_id, 'quotes' as way
    from ({_USED_QUOTES}) as own
    inner join ledger.prediction as said on said.match_id = own.fixture_key
    where not own.is_closing and own.known_at <= said.features_as_of
        and not exists (
            select from landing.odds_observation as observation
            where fixture_key = own.fixture_key and bookmaker = own.bookmaker and market = own.market
                and line = own.line and not is_closing and known_at <= said.features_as_of
                and (known_at, observed_at, payload_id, quoted_at, row_number)
                > (own.known_at, %(observed_at)s, %(payload_id)s, own.quoted_at, own.row_number)
                and {QUOTE_IS_USED}
        )
),

through_fixture as (
    select said.prediction_id, 'fixture' as way
    from landing.fixture_observation as own
    inner join ledger.prediction as said on said.match_id = own.fixture_key
    where own.payload_id = %(payload_id)s and own.known_at <= said.features_as_of and own.payload_id = (
        select payload_id from landing.fixture_observation as observation
        where fixture_key = own.fixture_key and known_at <= said.features_as_of and {FIXTURE_IS_USED}
        order by {RANK.format(kind="fixtures")}, known_at desc, observed_at desc, payload_id desc
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
"""  # noqa: S608

# Whoever plays later in a country the results are from: ratings carry them from opponent to opponent.
AFTER: Final = f"""
with {_RESULTS},

countries as (
    select country, min(kickoff_at) as kickoff_at, min(known_at) as known_at from results group by country
)

select count(*)
from countries
inner join core.match as match on match.country = countries.country and match.kickoff_at > countries.kickoff_at
inner join ledger.prediction as said on said.match_id = match.match_id
where said.kickoff_at > countries.kickoff_at and said.features_as_of >= countries.known_at
    and said.prediction_id not in (select unnest(%(direct)s::text[]::uuid[]))
"""  # noqa: S608

MODELS: Final = f"""
with {_RESULTS},

quoted as (
    select distinct quotes.fixture_key
    from ({_USED_QUOTES}) as quotes
    inner join core.match as match on match.match_id = quotes.fixture_key
    where not quotes.is_closing and quotes.known_at < match.kickoff_at
),

learned as (
    select fixture_key, known_at, known_until, kickoff_at, competition from results
    union all
    select match.match_id, match.kickoff_at, 'infinity', match.kickoff_at, match.competition
    from quoted
    inner join core.match as match on match.match_id = quoted.fixture_key
),

trained as (
    select
        to_id, run_id, (detail ->> 'as_of')::timestamptz as as_of,
        (detail ->> 'trained_from')::timestamptz as trained_from,
        (detail ->> 'trained_until')::timestamptz as trained_until,
        string_to_array(detail ->> 'competitions', ',') as competitions
    from ops.lineage_edge
    where from_kind = 'training_set' and to_kind = 'model_version'
)

select
    trained.to_id as model_version, trained.as_of, trained.run_id, count(distinct learned.fixture_key) as n_matches
from trained
inner join learned
    on
        learned.kickoff_at between trained.trained_from and trained.trained_until
        and learned.known_at <= trained.as_of and trained.as_of < learned.known_until
        and learned.competition = any(trained.competitions)
group by trained.to_id, trained.as_of, trained.run_id
order by trained.as_of, trained.to_id
"""  # noqa: S608
