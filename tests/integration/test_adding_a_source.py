"""A fifth source, added as docs/adding-a-source.md says, and what every source then gets without writing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from builders import match_row, write_season_file
from example_source import ExampleSource
from scripted_provider import ScriptedProvider, ScriptedReply
from touchline import cli
from touchline.clock import RunClock, virtual_clock
from touchline.database.engine import connect, rows, scalar
from touchline.errors import SettingsInvalid
from touchline.identity.fixtures import fixture_key
from touchline.landing.collect import CollectReport, collect
from touchline.settings import Settings
from touchline.sources import registry
from touchline.sources.configuration import DEFAULT_PATH
from warehouse import read_by_a_build

pytestmark = pytest.mark.slow

TEAMS = ("Arsenal", "Man City", "Leeds", "Wolves", "Nott'm Forest", "Everton")
THEIRS = {"Man City": "Manchester City", "Nott'm Forest": "Nottingham Forest"}
FIRST_DAY = date(2022, 8, 20)
APRIL = datetime(2023, 4, 1, 12, tzinfo=UTC)
KEY = "key-of-the-example"
Game = dict[str, Any]
Answer = Callable[[list[Game]], None]


def season() -> list[tuple[date, str, str]]:
    """Everybody at home against everybody, one match every eight days."""
    pairs = [(home, away) for home in TEAMS for away in TEAMS if home != away]
    return [(FIRST_DAY + timedelta(days=8 * number), *pair) for number, pair in enumerate(pairs)]


def anchor_rows() -> list[dict[str, str]]:
    made = []
    for day, home, away in season():
        row = match_row(
            Date=f"{day:%d/%m/%Y}", Time="15:00", HomeTeam=home, AwayTeam=away, FTHG="1", FTAG="0"
        )
        made.append({name: row[name] for name in row if not name.startswith(("B365", "Avg"))})
    return made


def games() -> list[Game]:
    """The same season as the example has it: its own names, ids and times."""
    made = []
    for number, (day, home, away) in enumerate(season()):
        is_played = day < APRIL.date()
        made.append(
            {
                "id": f"game-{number}", "league": "premier", "starts": f"{day}T15:00:00Z",
                "home": THEIRS.get(home, home), "away": THEIRS.get(away, away),
                "state": "played" if is_played else "scheduled",
                **({"home_goals": 1, "away_goals": 0} if is_played else {}),
            }
        )  # fmt: skip
    return made


@pytest.fixture
def example(
    settings: Settings, provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """The anchor's season has landed; one line and one entry later, the example is a source."""
    write_season_file(tmp_path / "files", anchor_rows())
    collect(settings.model_copy(update={"source": str(tmp_path / "files")}), virtual_clock(APRIL), "anchor")
    configured = yaml.safe_load(DEFAULT_PATH.read_text())
    configured["sources"]["example"] = {
        "address": provider.address, "needs_key": True, "gives": ["fixtures", "scores"], "calls_per_minute": 6000,
        "competitions": {"E0": "premier"},
    }  # fmt: skip
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(configured))
    monkeypatch.setitem(registry.FACTORIES, "example", ("example_source", "ExampleSource", "ExampleDialect"))
    monkeypatch.setenv("TOUCHLINE_EXAMPLE_KEY", KEY)
    return settings.model_copy(update={"source": "example", "sources_file": tmp_path / "sources.yaml"})


def answer(answers: list[ScriptedReply], found: list[Game]) -> None:
    answers[:] = [ScriptedReply(body=json.dumps({"games": found}).encode())]


def run(settings: Settings, as_of: datetime) -> CollectReport:
    return collect(settings, virtual_clock(as_of), f"example {as_of.isoformat()}")


def observed(settings: Settings, as_of: datetime, source_match_id: str) -> dict[str, Any] | None:
    """What was known at an instant of the match that the example calls so."""
    query = (
        "select fixture_key::text, kickoff_at, status, home_team, away_team from landing.fixture_observation "
        "where source = 'example' and source_match_id = %s and known_at <= %s "
        "order by known_at desc, observed_at desc, payload_id desc limit 1"
    )
    with connect(settings, "ingest") as connection:
        found = rows(connection, query, (source_match_id, as_of))
    return found[0] if found else None


def key_of(number: int) -> str:
    day, home, away = season()[number]
    return str(fixture_key("E0", day, home, away))


def test_what_comes_during_a_live_run_is_dated_when_it_comes_and_not_when_the_run_began(
    example: Settings, answers: list[ScriptedReply]
):
    answer(answers, games())
    began = datetime.now(UTC)
    collect(example, RunClock(began - timedelta(hours=1), "live"), "live")
    with connect(example, "ingest") as connection:
        observed_at = scalar(connection, "select observed_at from landing.payload where source = 'example'")
    assert began < observed_at < datetime.now(UTC)


def test_a_provider_is_not_asked_as_of_another_time(example: Settings):
    with pytest.raises(SettingsInvalid, match="leave out TOUCHLINE_AS_OF"):
        run(example.model_copy(update={"as_of": APRIL}), APRIL)


def test_it_lands_under_our_names_and_keys_and_its_key_goes_nowhere(
    example: Settings, provider: ScriptedProvider, answers: list[ScriptedReply]
):
    answer(answers, games())
    report = run(example, APRIL)
    assert (report.rows, report.parsed, report.rejected) == (30, 30, 0)
    for number in (0, 15, 29):
        found = observed(example, APRIL, f"game-{number}")
        assert found is not None
        assert (found["fixture_key"], found["home_team"]) == (key_of(number), season()[number][1])
    assert provider.headers[0]["x-example-key"] == KEY
    with connect(example, "ingest") as connection:
        for table in ("payload", "rejected_row", "fixture_observation", "match_link"):
            texts = rows(connection, f"select t::text as line from landing.{table} as t")
            assert not any(KEY in row["line"] for row in texts)


def test_a_moved_kickoff_is_a_new_version_of_the_same_match(example: Settings, answers: list[ScriptedReply]):
    answer(answers, games())
    run(example, APRIL)
    moved = games()
    moved[-1] |= {"state": "postponed"}
    answer(answers, moved)
    run(example, APRIL + timedelta(days=1))
    moved[-1] |= {"state": "scheduled", "starts": "2023-05-24T18:30:00Z"}
    answer(answers, moved)
    run(example, APRIL + timedelta(days=2))
    told = [observed(example, APRIL + timedelta(days=days), "game-29") for days in range(3)]
    assert [each["status"] for each in told if each] == ["scheduled", "postponed", "scheduled"]
    assert {each["fixture_key"] for each in told if each} == {key_of(29)}
    assert told[2] is not None
    assert told[2]["kickoff_at"] == datetime(2023, 5, 24, 18, 30, tzinfo=UTC)


def test_the_anchor_s_word_of_a_moved_match_joins_the_match_that_was_moved(
    example: Settings, answers: list[ScriptedReply], tmp_path: Path
):
    moved = games()
    moved[-1] |= {"starts": "2023-05-24T18:30:00Z"}
    answer(answers, games())
    run(example, APRIL)
    answer(answers, moved)
    run(example, APRIL + timedelta(days=1))
    lines = anchor_rows()
    lines[-1] |= {"Date": "24/05/2023", "Time": "19:30"}
    anchor = example.model_copy(update={"source": str(tmp_path / "files")})
    for day in (1, 2):
        # Also when the file comes again with something new in it.
        lines[0] |= {"FTHG": str(day + 1)}
        write_season_file(tmp_path / "files", lines)
        collect(anchor, virtual_clock(datetime(2023, 6, 28 + day, tzinfo=UTC)), f"moved {day}")
    with connect(example, "ingest") as connection:
        found = rows(
            connection,
            "select distinct fixture_key::text as key from landing.score_observation "
            "inner join landing.fixture_observation using (fixture_key) where home_team = %s and away_team = %s",
            season()[-1][1:],
        )
    assert [row["key"] for row in found] == [key_of(29)]


def test_a_name_in_doubt_waits_and_is_used_from_the_stored_payload_once_it_is_linked(
    example: Settings,
    provider: ScriptedProvider,
    answers: list[ScriptedReply],
    monkeypatch: pytest.MonkeyPatch,
):
    strange = [{**game, "home": game["home"].replace("Everton", "The Toffees")} for game in games()[:5]]
    strange += [{**games()[25], "home": "The Toffees"}]
    answer(answers, strange)
    report = run(example, APRIL)
    assert (report.rows, report.parsed, report.rejected) == (6, 5, 1)
    assert observed(example, APRIL, "game-25") is None
    read_by_a_build(example, APRIL)
    n_asked = len(provider.paths)

    later = APRIL + timedelta(days=3)
    for name, value in example.model_copy(update={"as_of": later}).environment().items():
        monkeypatch.setenv(name, value)
    reviewed = CliRunner().invoke(cli.app, ["--json", "teams", "review"])
    assert [item["alias"] for item in json.loads(reviewed.stdout)] == ["The Toffees"]
    counted = CliRunner().invoke(cli.app, ["--json", "rejects", "count", "--from-source", "example"])
    (count,) = json.loads(counted.stdout)
    assert (count["rule"], count["field"], count["n_open"]) == ("team_doubtful", "home_team", 1)
    arguments = ["teams", "link", "The Toffees", "Everton", "--source", "example", "--country", "England"]
    linked = CliRunner().invoke(cli.app, arguments)
    assert linked.exit_code == 0, linked.output
    assert "1 of 1 rows" in linked.output

    assert len(provider.paths) == n_asked
    # Before it was linked nothing could have been made of it.
    assert observed(example, later - timedelta(seconds=1), "game-25") is None
    found = observed(example, later, "game-25")
    assert found is not None
    assert (found["fixture_key"], found["home_team"]) == (key_of(25), "Everton")
    shown = CliRunner().invoke(cli.app, ["rejects", "show", "--from-source", "example"])
    assert "The Toffees" in shown.output
    assert json.loads(CliRunner().invoke(cli.app, ["--json", "rejects", "count"]).stdout)[0]["n_open"] == 0


def test_a_body_that_could_not_be_read_is_used_whole_once_its_parser_is_mended(
    example: Settings,
    provider: ScriptedProvider,
    answers: list[ScriptedReply],
    monkeypatch: pytest.MonkeyPatch,
):
    answers[:] = [ScriptedReply(body=json.dumps({"fixtures": games()}).encode())]
    report = run(example, APRIL)
    assert (report.rows, len(report.problems)) == (0, 1)
    assert "games" in report.problems[0]
    read_by_a_build(example, APRIL)
    read_before = ExampleSource.parse
    monkeypatch.setattr(
        ExampleSource,
        "parse",
        lambda self, request, body: read_before(self, request, body.replace(b'"fixtures"', b'"games"')),
    )
    for name, value in example.model_copy(update={"as_of": APRIL + timedelta(days=1)}).environment().items():
        monkeypatch.setenv(name, value)
    replayed = json.loads(CliRunner().invoke(cli.app, ["--json", "rejects", "replay"]).stdout)
    assert (replayed["n_settled"], replayed["new_fixtures"]) == (1, 30)
    assert len(provider.paths) == 1
    assert observed(example, APRIL, "game-3") is None
    assert observed(example, APRIL + timedelta(days=1), "game-3") is not None
    assert json.loads(CliRunner().invoke(cli.app, ["--json", "rejects", "replay"]).stdout)["n_rows"] == 0


def test_its_health_is_listed_and_a_source_without_its_key_is_left_out(
    example: Settings, answers: list[ScriptedReply], monkeypatch: pytest.MonkeyPatch
):
    answer(answers, games())
    run(example, APRIL)
    for name, value in example.model_copy(update={"as_of": APRIL, "source": "live"}).environment().items():
        monkeypatch.setenv(name, value)
    listed = json.loads(CliRunner().invoke(cli.app, ["--json", "sources"]).stdout)["sources"]
    health = {source["name"]: source["health"] for source in listed}
    assert health["example"] == "healthy"
    assert health["the_odds_api"] == "no key"
    advice = {source["name"]: source["advice"] for source in listed}
    assert "TOUCHLINE_THE_ODDS_API_KEY" in advice["the_odds_api"]
    shown = CliRunner().invoke(cli.app, ["sources"]).output
    assert "example" in shown
    assert "2 of 5 sources in use, all healthy." in shown


def test_a_killed_or_failed_backfill_asks_only_for_what_it_has_not(
    example: Settings,
    provider: ScriptedProvider,
    answers: list[ScriptedReply],
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in example.environment().items():
        monkeypatch.setenv(name, value)
    command = ["--json", "collect", "--from", "2022-08-20", "--to", "2022-12-31"]
    answer(answers, games())
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    assert provider.paths == ["/games?from=2022-08-20&league=premier&to=2022-12-31"]
    assert json.loads(done.stdout)["parsed"] == 30
    with connect(example, "ingest") as connection:
        connection.execute("update ops.pipeline_run set status = 'running' where step like 'backfill %'")
    again = CliRunner().invoke(cli.app, command)
    assert again.exit_code == 0, again.output
    assert len(provider.paths) == 1
    assert CliRunner().invoke(cli.app, ["collect", "--to", "2022-12-31"]).exit_code == 2
    assert (
        CliRunner().invoke(cli.app, ["collect", "--from", "2023-01-01", "--to", "2022-12-31"]).exit_code == 2
    )
