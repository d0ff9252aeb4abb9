"""The SQL of lineage. Everything is as it was known when the features were made (`features_as_of`)."""

from __future__ import annotations

from typing import Final

# A range on the key, not a comparison of texts: it stays fast in a ledger of millions.
FIND: Final = """
select * from ledger.prediction
where prediction_id between %(first)s and %(last)s
order by prediction_id limit %(limit)s
"""

# The version of a fact that counted at an instant: the source whose word counts first, then the latest.
RANK: Final = "coalesce(array_position(%({kind})s::text[], source), 1000)"
LATEST: Final = "known_at desc, observed_at desc, payload_id desc"
IN_FORCE: Final = f"{RANK}, {LATEST}"

# A fact set aside is out of staging whenever that was done, so nothing is taken to rest on it.
_SET_ASIDE: Final = """
    select from landing.quarantined_fact as aside
    where aside.kind = '{kind}' and aside.fixture_key = observation.fixture_key
        and aside.payload_id = observation.payload_id
"""
FIXTURE_IS_USED: Final = f"not exists ({_SET_ASIDE.format(kind='fixture')})"
SCORE_IS_USED: Final = f"not exists ({_SET_ASIDE.format(kind='score')})"
QUOTE_IS_USED: Final = f"""not exists ({_SET_ASIDE.format(kind="quote")}
        and aside.bookmaker = observation.bookmaker and aside.market = observation.market
        and aside.line = observation.line and aside.is_closing = observation.is_closing
)"""

# Matches before the one predicted, latest first, with kick-off and result as they were known then.
_BEFORE: Final = f"""
select
    match.match_id::text as match_id, listed.kickoff_at, match.competition, match.home_team, match.away_team,
    observed.home_goals, observed.away_goals, observed.known_at, observed.payload_id, observed.row_number
from core.match as target
inner join core.match as match on {{condition}}
inner join lateral (
    select home_goals, away_goals, payload_id, row_number, known_at
    from landing.score_observation as observation
    where fixture_key = match.match_id and known_at <= %(features_as_of)s and {SCORE_IS_USED}
    order by {IN_FORCE.format(kind="scores")} limit 1
) as observed on true
inner join lateral (
    select kickoff_at, status
    from landing.fixture_observation as observation
    where fixture_key = match.match_id and known_at <= %(features_as_of)s and {FIXTURE_IS_USED}
    order by {IN_FORCE.format(kind="fixtures")} limit 1
) as listed on listed.status not in ('awarded', 'abandoned', 'cancelled')
where target.match_id = %(match_id)s and listed.kickoff_at < %(kickoff_at)s
order by match.kickoff_at desc, match.match_id
limit %(limit)s
"""  # noqa: S608

# Behind the ratings, the form and the season of each side.
HOME_MATCHES: Final = _BEFORE.format(
    condition="target.home_team_id in (match.home_team_id, match.away_team_id)"
)
AWAY_MATCHES: Final = _BEFORE.format(
    condition="target.away_team_id in (match.home_team_id, match.away_team_id)"
)

QUOTES: Final = f"""
select distinct on (bookmaker, market, line)
    bookmaker, market, line, price_home, price_draw, price_away, price_over, price_under, quoted_at, known_at,
    payload_id, row_number
from landing.odds_observation as observation
where fixture_key = %(match_id)s and not is_closing and known_at <= %(features_as_of)s and {QUOTE_IS_USED}
order by bookmaker, market, line, known_at desc, observed_at desc, payload_id desc, quoted_at desc, row_number desc
"""  # noqa: S608

FIXTURE: Final = f"""
select kickoff_at, status, payload_id, row_number, known_at from landing.fixture_observation as observation
where fixture_key = %(match_id)s and known_at <= %(features_as_of)s and {FIXTURE_IS_USED}
order by {IN_FORCE.format(kind="fixtures")} limit 1
"""  # noqa: S608

PAYLOADS: Final = """
select payload_id, source, endpoint, observed_at, is_backfill, encode(content_hash, 'hex') as content_hash, n_bytes
from landing.payload where payload_id = any(%s) order by payload_id
"""

OUTCOME: Final = """
select revision, home_goals, away_goals, outcome, rps, log_loss, brier, is_correct, settled_at, run_id
from ledger.prediction_outcome where prediction_id = %s order by revision desc limit 1
"""
