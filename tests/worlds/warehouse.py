"""A small warehouse for tests: season files landed, built and rated through the production code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from builders import match_row, write_season_file
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.landing.collect import collect
from touchline.landing.seen import note_seen
from touchline.ratings.update import update_ratings
from touchline.settings import Settings
from touchline.warehouse.build import BuildReport, build_layer

TEAMS = ("Arsenal", "Chelsea", "Leeds", "Fulham", "Everton", "Burnley")


def land(
    settings: Settings,
    folder: Path,
    rows: Sequence[Mapping[str, str]],
    as_of: datetime,
    competition: str = "E0",
) -> Settings:
    """Write a season file below `folder` and collect it as of an instant; returns settings with that source."""
    write_season_file(folder, rows, competition=competition)
    sourced = settings.model_copy(update={"source": str(folder)})
    collect(sourced, virtual_clock(as_of), f"collect-{as_of.isoformat()}")
    return sourced


def build(settings: Settings, as_of: datetime, *, is_full: bool = False) -> tuple[BuildReport, BuildReport]:
    """Core, ratings and features as of an instant; the reports of core and of features."""
    core = build_layer(settings, "core", as_of, "build", is_full=is_full)
    update_ratings(settings, as_of, "build", is_full=is_full)
    return core, build_layer(settings, "features", as_of, "build", is_full=is_full)


def read_by_a_build(settings: Settings, as_of: datetime) -> None:
    """Have a build as of an instant have read every payload that has landed, as far as replays can tell."""
    with connect(settings, "transform") as connection:
        found = rows(connection, "select payload_id from landing.payload_parsed")
        note_seen(connection, "build_core", [("payload", row["payload_id"]) for row in found], as_of)


def set_aside(
    settings: Settings, kind: str, payload_id: int, match_id: str, as_of: datetime, rule: str = "doubted"
) -> int:
    """Name the facts of a kind that a payload gave of a match as set aside; returns how many rows were written."""
    quote = (
        "bookmaker, market, line, is_closing" if kind == "quote" else "null, null, null::real, null::boolean"
    )
    table = "odds_observation" if kind == "quote" else f"{kind}_observation"
    with connect(settings, "transform") as connection:
        return connection.execute(
            "insert into landing.quarantined_fact (kind, fixture_key, payload_id, bookmaker, market, line, "
            "is_closing, rule, reason, observed_at, run_id) "
            f"select distinct '{kind}', fixture_key, payload_id, {quote}, %s, 'why ' || %s, %s::timestamptz, 'test' "
            f"from landing.{table} where payload_id = %s and fixture_key = %s",
            (rule, rule, as_of, payload_id, match_id),
        ).rowcount


def round_robin(day_of_first: int = 1) -> list[dict[str, str]]:
    """A season's first weeks among six teams: 15 matches, one a day from 1 October 2022, scores of all kinds."""
    pairs = [(home, away) for index, home in enumerate(TEAMS) for away in TEAMS[index + 1 :]]
    return [
        match_row(
            Date=f"{day_of_first + number:02d}/10/2022", Time="15:00", HomeTeam=home, AwayTeam=away,
            FTHG=str(number % 4), FTAG=str((number * 7) % 3), HST=str(3 + number % 5), AST=str(2 + number % 3),
            HS=str(9 + number % 5), AS=str(7 + number % 4),
        )
        for number, (home, away) in enumerate(pairs)
    ]  # fmt: skip
