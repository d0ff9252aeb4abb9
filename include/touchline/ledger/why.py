"""Why a match was not predicted: the first reason that applies, where to look and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from touchline.database.engine import Connection, rows
from touchline.database.queries import query
from touchline.errors import MatchUnknown
from touchline.identity.names import similarity
from touchline.ledger.built import require_built

# Names at least this similar are accepted; less similar ones are only suggested.
ALIKE: Final = 80.0
SUGGESTIONS: Final = 5
DAYS_AROUND: Final = 10

LAST_WORD: Final = """
select prediction_id, predicted_at, model_name, model_version, forecast, p_home, p_draw, p_away
from ledger.prediction
where match_id = %(match_id)s and role = 'champion' and predicted_at <= %(as_of)s
order by predicted_at desc, prediction_id desc limit 1
"""


@dataclass(frozen=True)
class Fixture:
    """The match asked about; `kickoff_at` in UTC, `match_id` None where it is only known from a rejected row.

    `status` is that of core.match, or the reason of analytics.unpredicted where the match is not there.
    """

    match_id: UUID | None
    competition: str
    kickoff_at: datetime
    home_team: str
    away_team: str
    status: str

    def __str__(self) -> str:
        return f"{self.home_team} v {self.away_team} ({self.competition}), {_minute(self.kickoff_at)}"


@dataclass(frozen=True)
class Why:
    """The answer: `reason` is `predicted`, one of analytics.unpredicted, `too_early`, `unreported`, `past` or
    `not_built`."""

    fixture: Fixture
    reason: str
    detail: str
    look_at: str
    what_to_do: str

    @property
    def summary(self) -> str:
        """What an operator reads."""
        return (
            f"{self.fixture}\n"
            f"  {self.reason.replace('_', ' ')}: {self.detail}\n"
            f"  look at: {self.look_at}\n"
            f"  what to do: {self.what_to_do}"
        )


def why(connection: Connection, fixture: Fixture, as_of: datetime, horizon_days: int) -> Why:
    """Why a fixture has no prediction as of an instant (UTC), or when and by which model it was predicted."""
    asked = vars(fixture) | {"as_of": as_of}
    for said in rows(connection, LAST_WORD, asked):
        return Why(fixture, "predicted", _told(said), f"touchline lineage {said['prediction_id']}", "nothing")
    for found in rows(connection, query("ledger/sql/unpredicted"), asked):
        return Why(fixture, **found)
    return Why(fixture, *_outside_the_view(fixture, as_of, horizon_days))


def fixture_by_id(connection: Connection, match_id: UUID) -> Fixture:
    """The fixture with an id. Raises MatchUnknown, WarehouseNotBuilt."""
    require_built(connection, "core.match", "analytics.unpredicted")
    asked = {"match_id": match_id, "first": None, "last": None}
    for row in rows(connection, query("ledger/sql/fixtures"), asked):
        return _fixture(row)
    raise MatchUnknown(
        f"no match has the id {match_id}: ids are in core.match; ask by names, `touchline why HOME AWAY DAY`"
    )


def fixture_by_names(connection: Connection, home: str, away: str, day: date) -> Fixture:
    """The fixture between two teams, in either order, on a day (UTC); a name may be written as any source would.

    Raises MatchUnknown when there is no such fixture, with the nearest ones, or several, with all of them;
    WarehouseNotBuilt.
    """
    require_built(connection, "core.match", "analytics.unpredicted")
    midnight = datetime.combine(day, time(), UTC)
    around = timedelta(days=DAYS_AROUND)
    stretch = {"match_id": None, "first": midnight - around, "last": midnight + timedelta(days=1) + around}
    near = rows(connection, query("ledger/sql/fixtures"), stretch)
    scored = [(_likeness(row, home, away), row) for row in near]
    alike = [
        (score, row)
        for score, row in scored
        if score >= ALIKE and row["kickoff_at"].astimezone(UTC).date() == day
    ]
    best = max((score for score, _ in alike), default=0.0)
    found = _in_force([row for score, row in alike if score == best or best < 100])
    if len(found) == 1:
        return _fixture(found[0])
    asked = f"{home} v {away} on {day}"
    if found:
        raise MatchUnknown(f"{asked} can be {len(found)} matches:\n{_listed(found)}")
    if not near:
        raise MatchUnknown(f"{asked} is not known, nor is any match within {DAYS_AROUND} days of it")
    nearest = sorted(scored, key=lambda each: (-each[0], abs(each[1]["kickoff_at"] - midnight)))
    raise MatchUnknown(
        f"{asked} is not known; the nearest are:\n{_listed([row for _, row in nearest[:SUGGESTIONS]])}"
    )


def _likeness(row: dict[str, Any], home: str, away: str) -> float:
    """The lower of the two names' likenesses, in whichever order of home and away fits better; 0 to 100."""
    return max(
        min(similarity(row["home_team"], one), similarity(row["away_team"], other))
        for one, other in ((home, away), (away, home))
    )


def _in_force(found: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Leave out a superseded fixture where its successor is found too."""
    return [row for row in found if row["status"] != "superseded"] or found


def _outside_the_view(fixture: Fixture, as_of: datetime, horizon_days: int) -> tuple[str, str, str, str]:
    """Reason, detail, where to look and what to do for a match that is not in analytics.unpredicted."""
    first = fixture.kickoff_at - timedelta(days=horizon_days)
    if first > as_of:
        return (
            "too_early", f"fixtures are predicted within {horizon_days} days of kick-off",
            "the setting TOUCHLINE_HORIZON_DAYS", f"nothing before {_minute(first)}",
        )  # fmt: skip
    if fixture.status == "unreported":
        return (
            "unreported", "it should have been played, and no source has told since what became of it",
            "landing.fixture_observation (fixture_key)", "nothing; it counts as soon as a source gives its result",
        )  # fmt: skip
    if fixture.kickoff_at <= as_of:
        return (
            "past", "it kicked off, and no prediction had been written before",
            "analytics.prediction_history", "nothing: a prediction is written before kick-off or not at all",
        )  # fmt: skip
    return (
        "not_built", "it entered the horizon after analytics.unpredicted was last built",
        "analytics.freshness", "run `touchline build`, then `touchline predict`",
    )  # fmt: skip


def _told(said: dict[str, Any]) -> str:
    chances = ", ".join(f"{side} {100 * said[f'p_{side}']:.0f} %" for side in ("home", "draw", "away"))
    return (
        f"at {_minute(said['predicted_at'])} by {said['model_name']} version {said['model_version']} "
        f"({said['forecast']}): {chances}"
    )


def _fixture(row: dict[str, Any]) -> Fixture:
    return Fixture(**{name: row[name] for name in Fixture.__dataclass_fields__})


def _listed(found: Sequence[dict[str, Any]]) -> str:
    return "\n".join(f"  {_fixture(row)}, id {row['match_id'] or 'none'}" for row in found)


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
