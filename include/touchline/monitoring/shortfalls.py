"""Where the pipeline falls short of what it should have done: the one judgement that steps, runs, the doctor, the API
and the board share. With a shortfall Touchline is *degraded*: it serves what it has, and something is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from psycopg import RawCursor
from psycopg.rows import dict_row

from touchline.database.engine import connect, scalar
from touchline.database.queries import query
from touchline.settings import Settings

Kind = Literal["unpredicted", "held", "uncollected", "stale"]
KINDS: Final[tuple[Kind, ...]] = ("unpredicted", "held", "uncollected", "stale")
# What a prediction run answers for.
OF_PREDICTIONS: Final[tuple[Kind, ...]] = ("unpredicted", "held")

# Everything is collected and looked at once a day at least; longer ago is too long.
STALE_AFTER: Final = timedelta(hours=26)

EVIDENCE: Final = "monitoring/sql/evidence"
MISSING: Final = "monitoring/sql/missing"
ASK_WHY: Final = "`touchline build`, then `touchline predict`"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shortfall:
    """Something that should be there and is not.

    `subject` is the reason for which `n` fixtures ahead have no prediction (as in analytics.unpredicted; `since` is
    then the next kick-off), the competition that is held, or the kind of facts that no source has given; it is empty
    when nothing was looked at for too long. `since` is UTC, None where it never was.
    """

    kind: Kind
    subject: str
    n: int
    since: datetime | None
    message: str
    what_to_do: str

    def __str__(self) -> str:
        return f"{self.message}; to do: {self.what_to_do}"


def find_shortfalls(
    settings: Settings, as_of: datetime, kinds: Sequence[Kind] = KINDS
) -> tuple[Shortfall, ...]:
    """Every shortfall of some kinds as of an instant (UTC), the gravest first. Raises DatabaseUnavailable.

    Before the warehouse is built no fixture is known, so that none can be missing.
    """
    with connect(settings, "api") as connection, RawCursor(connection, row_factory=dict_row) as cursor:
        evidence = cursor.execute(query(EVIDENCE), (as_of,)).fetchall()
        missing: Sequence[Row] = ()
        if (
            "unpredicted" in kinds
            and scalar(connection, "select to_regclass('analytics.unpredicted')") is not None
        ):
            until = horizon_end(evidence, as_of, settings.horizon_days)
            missing = cursor.execute(query(MISSING), (as_of, until)).fetchall()
    return tuple(each for each in judge(evidence, missing, as_of) if each.kind in kinds)


def horizon_end(evidence: Iterable[Row], as_of: datetime, horizon_days: int) -> datetime:
    """The last kick-off (UTC) that is due; what came into the horizon since the last look is for the next."""
    return (_last_look(evidence) or as_of) + timedelta(days=horizon_days)


def judge(evidence: Iterable[Row], missing: Iterable[Row], as_of: datetime) -> tuple[Shortfall, ...]:
    """The shortfalls in the rows of `EVIDENCE` and `MISSING` as of an instant (UTC), the gravest kind first."""
    evidence = list(evidence)
    return (
        *(_unpredicted(row) for row in missing),
        *(_held(row) for row in evidence if row["what"] == "held"),
        *_uncollected((row for row in evidence if row["what"] == "collected"), as_of),
        *_stale(_last_look(evidence), as_of),
    )


def told(shortfalls: Iterable[Shortfall]) -> str:
    """What is missing and what to do, one line each."""
    return "\n".join(str(each) for each in shortfalls)


def _last_look(evidence: Iterable[Row]) -> datetime | None:
    (row,) = (row for row in evidence if row["what"] == "looked")
    looked_at: datetime | None = row["since"]
    return looked_at


def _unpredicted(row: Row) -> Shortfall:
    fixtures = "1 fixture" if row["n"] == 1 else f"{row['n']} fixtures"
    reason = row["reason"].replace("_", " ")
    return Shortfall(
        "unpredicted", row["reason"], row["n"], row["next_kickoff_at"],
        f"{fixtures} ahead without a prediction ({reason}), the next at {_minute(row['next_kickoff_at'])}",
        row["what_to_do"] or ASK_WHY,
    )  # fmt: skip


def _held(row: Row) -> Shortfall:
    return Shortfall(
        "held", row["subject"], 1, row["since"],
        f"a quality gate holds {row['subject']} since {_minute(row['since'])}: {row['reason']}",
        "see `touchline quality holds`; correct the rows, or accept them with `touchline quality release`",
    )  # fmt: skip


def _uncollected(rows: Iterable[Row], as_of: datetime) -> Iterable[Shortfall]:
    for row in rows:
        facts, since = row["subject"], row["since"]
        if since is not None and row["is_answered"] and as_of - since <= STALE_AFTER:
            continue
        last = "ever" if since is None else f"since {_minute(since)}"
        yield Shortfall(
            "uncollected", facts, 1, since, f"no source has given {facts} {last}",
            "see `touchline sources` and the logs of the collect DAGs, then `touchline collect`",
        )  # fmt: skip


def _stale(looked_at: datetime | None, as_of: datetime) -> Iterable[Shortfall]:
    if looked_at is not None and as_of - looked_at > STALE_AFTER:
        hours = (as_of - looked_at) / timedelta(hours=1)
        yield Shortfall(
            "stale", "", 1, looked_at,
            f"nothing new for {hours:.0f} hours: fixtures were last looked at as of {_minute(looked_at)}",
            "run `touchline doctor`, which says what stands still, then `make run`",
        )  # fmt: skip


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
