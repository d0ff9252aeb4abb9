"""A warehouse with a fixture for every reason not to be predicted that lies in what landed and was built."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders import match_row, write_season_file
from predictions import insert_prediction
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.landing import observations, payloads
from touchline.landing.collect import collect
from touchline.landing.resolve import resolve
from touchline.quality.holds import Breach, keep_holds
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.sources.football_data_org import FootballDataOrg
from touchline.sources.source import Reply, Request
from touchline.warehouse.build import build_layer
from warehouse import build, round_robin, set_aside

NOW = datetime(2022, 11, 2, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=2)
ORG = Request("football_data_org", "competitions/PL/matches?season=2022")
ANNOUNCED = {
    "competition": {"code": "PL"},
    "season": {"startDate": "2022-08-05"},
    "lastUpdated": "2022-11-01T00:00:00Z",
}
NO_GOALS = {"home": None, "away": None}
NO_SCORE = {"winner": None, "duration": "REGULAR", "fullTime": NO_GOALS, "halfTime": NO_GOALS}


def fixture(day: str, home: str, away: str, **changes: str) -> dict[str, str]:
    """A row of a season file that has no result yet."""
    return match_row(Date=day, HomeTeam=home, AwayTeam=away, **{"FTHG": "", "FTAG": "", "FTR": "", **changes})


MOVED = fixture("04/11/2022", "Chelsea", "Everton")
FIXTURES = [
    fixture("20/09/2022", "Fulham", "Leeds"),
    fixture("02/11/2022", "Leeds", "Burnley", Time="11:00"),
    fixture("03/11/2022", "Fulham", "Chelsea"),
    fixture("06/11/2022", "Arsenal", "Fulham"),
    fixture("09/11/2022", "Everton", "Arsenal", Time="11:00"),
    fixture("20/11/2022", "Burnley", "Fulham"),
]


def build_unpredicted_world(empty: Settings, folder: Path) -> Settings:
    """Land, set aside, hold and build as of `NOW` through the code of production; one fixture is predicted."""
    settings = empty.model_copy(update={"source": str(folder)})
    write_season_file(folder, [*round_robin(), *FIXTURES, MOVED])
    for code in ("E1", "E2"):
        write_season_file(
            folder, [fixture("05/11/2022", f"Home {code}", f"Away {code}", Div=code)], competition=code
        )
    collect(settings, virtual_clock(EARLIER), "collect earlier")
    (aside,) = _observed(settings, "Arsenal", "Fulham")
    set_aside(settings, "fixture", aside["payload_id"], aside["fixture_key"], EARLIER)
    build(settings, EARLIER)

    again = {"Date": "05/11/2022"}
    write_season_file(folder, [*round_robin(), *FIXTURES, MOVED | again])
    collect(settings, virtual_clock(NOW), "collect")
    _land_from_football_data_org(settings)
    build_layer(settings, "core", NOW, "build")
    build_layer(settings, "analytics", NOW, "build")
    with connect(settings, "transform") as connection:
        breaches = [Breach(code, (gate, "suite", "expectation", ""), frozenset({"a row"}), f"why {code}")
                    for code, gate in (("E1", "core"), ("E2", "predictions"))]  # fmt: skip
        for breach in breaches:
            keep_holds(connection, breach.source[0], [breach], None, NOW, "gate")
    (predicted,) = _observed(settings, "Fulham", "Chelsea")
    with connect(settings, "model") as connection:
        insert_prediction(
            connection, match_id=predicted["fixture_key"], home_team="Fulham", away_team="Chelsea",
            kickoff_at=predicted["kickoff_at"], predicted_at=NOW, features_as_of=EARLIER,
        )  # fmt: skip
    return settings


def _land_from_football_data_org(settings: Settings) -> None:
    """Teams nobody knows, a match called off, and rows that cannot be read: of a known match, and of an unknown one."""
    matches = [
        _told(3, "2022-11-03T15:00:00Z", "Fulham FC", "Chelsea", "TIMED"),
        _told(4, "2022-11-03T19:00:00Z", "Fulham FC", "Everton", "DELAYED_BY_FOG"),
        _told(5, "2022-11-05T15:00:00Z", "Leeds", "Arsenal", "DELAYED_BY_FOG"),
        _told(1, "2022-11-06T15:00:00Z", "Nowhere Town", "Somewhere Rovers", "TIMED"),
        _told(2, "2022-11-07T20:00:00Z", "Burnley", "Chelsea", "POSTPONED"),
    ]
    body = json.dumps({"matches": matches}).encode()
    configuration = read_configuration().sources["football_data_org"]
    with connect(settings, "ingest") as connection:
        payloads.store(connection, ORG, Reply(body, 200, "application/json"), NOW, "org")
        (payload_id,) = payloads.unparsed(connection, ORG.source)
        payload = payloads.read_again(connection, payload_id)
        found = FootballDataOrg(configuration, None).parse(ORG, body)  # type: ignore[arg-type]
        observations.write(connection, payload, resolve(connection, payload, found, {}, NOW, "org"), "org")


def _told(number: int, kickoff: str, home: str, away: str, status: str) -> dict[str, Any]:
    teams = {"homeTeam": {"name": home}, "awayTeam": {"name": away}}
    return ANNOUNCED | teams | {"id": number, "utcDate": kickoff, "status": status, "score": NO_SCORE}


def _observed(settings: Settings, home: str, away: str) -> list[dict[str, Any]]:
    with connect(settings, "transform") as connection:
        return rows(
            connection,
            "select distinct fixture_key::text as fixture_key, payload_id, kickoff_at from landing.fixture_observation "
            "where home_team = %s and away_team = %s and status = 'scheduled' order by payload_id limit 1",
            (home, away),
        )
