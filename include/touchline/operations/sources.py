"""The state of the sources: in use or not, healthy or paused, freshness, remaining quota, what was rejected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.errors import SourceUnavailable
from touchline.identity.teams import ANCHOR
from touchline.settings import Settings
from touchline.sources import registry
from touchline.sources.configuration import read_configuration
from touchline.sources.registry import plan_sources, source_folder
from touchline.sources.source import Kind

# A source in use that has not answered for longer than this is stale.
STALE_AFTER = timedelta(hours=26)


@dataclass(frozen=True)
class SourceHealth:
    """One source. Times are UTC, on the run clock; "today" is the UTC day of `as_of`."""

    name: str
    state: str
    health: str
    advice: str
    gives: tuple[Kind, ...]
    n_competitions: int
    circuit: str
    last_heard_at: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    remaining_credits: int | None
    n_calls_today: int
    n_credits_today: int
    credits_per_day: int | None
    n_failures_today: int
    n_rejected_today: int
    n_waiting: int


@dataclass(frozen=True)
class SourcesReport:
    """Every configured source, in the order in which they are asked."""

    as_of: str
    sources: tuple[SourceHealth, ...]

    @property
    def summary(self) -> str:
        """One sentence."""
        used = [source for source in self.sources if source.state == "in use"]
        ill = [source.name for source in used if source.health != "healthy"]
        text = f"{len(used)} of {len(self.sources)} sources in use"
        return f"{text}, all healthy." if not ill else f"{text}; look at {', '.join(ill)}."


def examine_sources(settings: Settings, as_of: datetime) -> SourcesReport:
    """The state of every configured source at `as_of` (UTC). Raises DatabaseUnavailable."""
    from touchline.landing.resolve import WAITING_RULES

    plans = plan_sources(settings)
    is_folder = source_folder(settings) is not None
    midnight = datetime.combine(as_of.astimezone(UTC).date(), time(), UTC)
    parameters = {
        "sources": [plan.name for plan in plans], "as_of": as_of, "midnight": midnight, "day": midnight.date(),
        "waiting": list(WAITING_RULES),
    }  # fmt: skip
    with connect(settings, "ingest") as connection:
        found = {
            row["source"]: row for row in rows(connection, query("operations/sql/source_health"), parameters)
        }
    report = []
    for plan in plans:
        row = found.get(plan.name, {})
        state = "in use" if is_folder and plan.name == ANCHOR else plan.state
        health, advice = _judge(plan.name, state, row, as_of, asks=not is_folder)
        report.append(
            SourceHealth(
                name=plan.name,
                state=state,
                health=health,
                advice=advice,
                gives=plan.configuration.gives,
                n_competitions=len(plan.configuration.competitions),
                circuit=row.get("circuit") or "closed",
                last_heard_at=row.get("last_heard_at"),
                last_success_at=row.get("last_success_as_of"),
                last_error=row.get("last_error"),
                remaining_credits=row.get("remaining_credits"),
                n_calls_today=row.get("n_calls_today", 0),
                n_credits_today=row.get("n_credits_today", 0),
                credits_per_day=plan.configuration.credits_per_day,
                n_failures_today=row.get("n_failures_today", 0),
                n_rejected_today=row.get("n_rejected_today", 0),
                n_waiting=row.get("n_waiting", 0),
            )
        )
    return SourcesReport(as_of.isoformat(), tuple(report))


def sources_giving(settings: Settings, kind: Kind) -> list[str]:
    """Names of the sources in use that give a kind of facts, in the order in which they are asked.

    Raises SourceUnavailable when there is none.
    """
    found = registry.sources_giving(settings, kind)
    if not found:
        raise SourceUnavailable(
            f"no source in use gives {kind}: set TOUCHLINE_<SOURCE>_KEY, or see config/sources.yaml"
        )
    return found


def sources_with_keys(settings: Settings) -> list[str]:
    """Names of the configured sources that need a key."""
    configured = read_configuration(settings.sources_file).sources
    return [name for name, source in configured.items() if source.needs_key]


def _judge(name: str, state: str, row: dict[str, Any], as_of: datetime, *, asks: bool) -> tuple[str, str]:
    if state == "no key":
        return "no key", f"set TOUCHLINE_{name.upper()}_KEY or TOUCHLINE_{name.upper()}_KEY_FILE"
    if state != "in use":
        return state, ""
    if asks and row.get("circuit") == "open":
        return "resting", "it is asked again by itself; last_error says what failed"
    spent_until = row.get("quota_spent_until")
    if asks and spent_until is not None and spent_until > as_of:
        return "quota spent", f"asked again after {spent_until:%Y-%m-%d %H:%M} UTC"
    heard = row.get("last_heard_at")
    if heard is None:
        return "never heard", "run `touchline collect`"
    if as_of - heard > STALE_AFTER:
        return "stale", "run `touchline collect`, or look at the collect DAGs"
    if row.get("n_waiting"):
        return "rows waiting", "see `touchline teams review` and `touchline rejects`"
    return "healthy", ""
