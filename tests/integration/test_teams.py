"""Links and reviews in the real database: settled once, undone by hand only, nothing known too early."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from builders import match_row, write_season_file
from databases import copy_of
from touchline import cli
from touchline.clock import virtual_clock
from touchline.database.engine import Connection, connect, scalar
from touchline.errors import TeamUnknown
from touchline.identity import teams
from touchline.identity.schedule import ScheduledMatch
from touchline.landing.collect import collect
from touchline.settings import Settings

pytestmark = pytest.mark.slow

AS_OF = datetime(2023, 6, 30, tzinfo=UTC)
SOURCE, COUNTRY = "the_odds_api", "England"
FIRST = ("Arsenal", "Man City", "Man United", "Leeds", "Wolves", "Nott'm Forest")
SECOND = ("Bristol City", "Burnley", "Hull", "Norwich", "QPR", "Sheffield United")
ALIASES = {
    "Arsenal": "Arsenal", "Manchester City": "Man City", "Manchester United": "Man United", "Leeds United": "Leeds",
    "Wolverhampton Wanderers": "Wolves", "Nottingham Forest": "Nott'm Forest",
}  # fmt: skip


def pairings(names: tuple[str, ...], first: date) -> list[tuple[date, str, str]]:
    """Everybody at home against everybody, one match a day."""
    pairs = [(home, away) for home in names for away in names if home != away]
    return [(first + timedelta(days=3 * number), *pair) for number, pair in enumerate(pairs)]


@pytest.fixture(scope="module")
def season(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The season 2022/23 of two competitions in the anchor source."""
    folder = tmp_path_factory.mktemp("files")
    for code, names in (("E0", FIRST), ("E1", SECOND)):
        rows = [
            match_row(Div=code, Date=f"{day:%d/%m/%Y}", HomeTeam=home, AwayTeam=away)
            for day, home, away in pairings(names, date(2022, 8, 20))
        ]
        rows = [{name: row[name] for name in row if not name.startswith(("B365", "Avg"))} for row in rows]
        write_season_file(folder, rows, competition=code)
    sourced = module_settings.model_copy(update={"source": str(folder)})
    collect(sourced, virtual_clock(AS_OF), "collect")
    return sourced


@pytest.fixture
def landed(season: Settings) -> Iterator[Settings]:
    """A copy of it for one test."""
    with copy_of(season) as copy:
        yield copy


@pytest.fixture
def connection(landed: Settings) -> Iterator[Connection]:
    with connect(landed, "ingest") as opened:
        yield opened


def settle(connection: Connection, aliases: Any = tuple(ALIASES), **changes: Any) -> dict[str, str | None]:
    given = {
        "source": SOURCE,
        "competition": "E0",
        "season": "2022/23",
        "as_of": AS_OF,
        "run_id": "test",
        **changes,
    }
    return {alias: made.team for alias, made in teams.settle(connection, aliases=aliases, **given).items()}


def count(connection: Connection, table: str) -> int:
    return int(scalar(connection, f"select count(*) from landing.{table}"))


def test_names_are_settled_written_once_and_found_again(connection: Connection):
    assert settle(connection) == ALIASES
    assert teams.settled_links(connection, SOURCE, COUNTRY) == ALIASES
    before = count(connection, "team_link")
    assert settle(connection) == ALIASES
    assert count(connection, "team_link") == before == len(ALIASES)
    methods = {link.alias: link.method for link in teams.links(connection, SOURCE)}
    assert (methods["Arsenal"], methods["Leeds United"]) == ("exact", "fuzzy")
    assert teams.open_reviews(connection) == []


def test_a_doubtful_name_waits_for_review_and_a_hand_made_link_closes_it(connection: Connection):
    for _ in range(2):
        assert settle(connection, ["Manchester", "Arsenal"])["Manchester"] is None
    (review,) = teams.open_reviews(connection)
    assert (review.alias, review.competition, review.season) == ("Manchester", "E0", "2022/23")
    assert {review.candidate, review.runner_up} == {"Man City", "Man United"}
    teams.link(connection, SOURCE, COUNTRY, "Manchester", "Man City", AS_OF, "hand")
    assert teams.open_reviews(connection) == []
    assert settle(connection, ["Manchester", "Arsenal"])["Manchester"] == "Man City"


def test_a_link_undone_by_hand_is_not_made_again_and_opens_a_review(connection: Connection):
    settle(connection)
    teams.unlink(connection, SOURCE, COUNTRY, "Leeds United", AS_OF, "hand")
    assert "Leeds United" not in teams.settled_links(connection, SOURCE, COUNTRY)
    assert settle(connection)["Leeds United"] is None
    assert [review.alias for review in teams.open_reviews(connection)] == ["Leeds United"]
    with pytest.raises(TeamUnknown, match="teams list"):
        teams.unlink(connection, SOURCE, COUNTRY, "Leeds United", AS_OF, "hand")


def test_a_team_the_anchor_source_does_not_have_is_refused_with_close_names(connection: Connection):
    with pytest.raises(TeamUnknown, match="close names: Man City"):
        teams.link(connection, SOURCE, COUNTRY, "Manchester City", "Manchester C", AS_OF, "hand")
    with pytest.raises(TeamUnknown, match="'Scotland'"):
        teams.link(connection, SOURCE, "Scotland", "Arsenal", "Arsenal", AS_OF, "hand")
    assert count(connection, "team_link") == 0


def test_links_belong_to_a_source_and_a_country(connection: Connection):
    settle(connection)
    assert teams.settled_links(connection, "api_football", COUNTRY) == {}
    assert teams.settled_links(connection, SOURCE, "Scotland") == {}
    # A club that went down keeps its name.
    assert settle(connection, ["Leeds United"], competition="E1", season="2023/24")["Leeds United"] == "Leeds"


def test_before_a_season_has_begun_only_the_very_name_counts(connection: Connection):
    found = settle(connection, ["Burnley FC", "Hull City"], season="2023/24")
    assert found == {"Burnley FC": "Burnley", "Hull City": None}
    assert [(review.alias, review.candidate) for review in teams.open_reviews(connection)] == [
        ("Hull City", "Hull")
    ]


def test_nothing_that_was_not_known_yet_is_used(connection: Connection):
    early = datetime(2022, 6, 1, tzinfo=UTC)
    assert set(settle(connection, as_of=early).values()) == {None}
    # Nobody can answer while there is no team to choose from.
    assert teams.open_reviews(connection) == []
    assert settle(connection) == ALIASES


def test_a_fixture_list_settles_a_name_like_no_other(connection: Connection):
    alias = {**{team: name for name, team in ALIASES.items()}, "Wolves": "The Old Gold"}
    schedule = [
        ScheduledMatch(day, alias[home], alias[away])
        for day, home, away in pairings(FIRST, date(2022, 8, 19))
    ]
    names = list(alias.values())
    assert settle(connection, names)["The Old Gold"] is None
    assert settle(connection, names, schedule=schedule)["The Old Gold"] == "Wolves"
    (link,) = [link for link in teams.links(connection, SOURCE) if link.alias == "The Old Gold"]
    assert (link.method, link.score) == ("schedule", 100)
    assert teams.open_reviews(connection) == []


def test_the_anchor_source_names_teams_by_definition(connection: Connection):
    assert settle(connection, ["Any Name"], source=teams.ANCHOR) == {"Any Name": "Any Name"}
    assert count(connection, "team_link") == count(connection, "team_review") == 0


def test_a_competition_nobody_has_described_is_a_country_of_its_own(connection: Connection):
    assert settle(connection, ["Flamengo"], competition="ZZZ", season="2023") == {"Flamengo": None}
    assert teams.country_of("ZZZ") == "ZZZ"


@pytest.fixture
def run(landed: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on this test's database."""
    for name, value in {**landed.environment(), "TOUCHLINE_AS_OF": AS_OF.isoformat()}.items():
        monkeypatch.setenv(name, value)
    with connect(landed, "ingest") as connection:
        settle(connection, ["Manchester", "Leeds United"])

    def invoke(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, list(arguments))

    return invoke


def test_review_and_list_show_names_as_tables_and_as_json(run: Any):
    assert "Manchester" in run("teams", "review").output
    (review,) = json.loads(run("--json", "teams", "review").stdout)
    assert (review["alias"], review["source"]) == ("Manchester", SOURCE)
    (link,) = json.loads(run("--json", "teams", "list", "--source", SOURCE).stdout)
    assert (link["alias"], link["team"], link["method"]) == ("Leeds United", "Leeds", "fuzzy")
    assert "Leeds United" in run("teams", "list").output
    assert json.loads(run("--json", "teams", "list", "--source", "api_football").stdout) == []


def test_unlink_undoes_and_link_refuses_an_unknown_team(run: Any):
    options = ("--source", SOURCE, "--country", COUNTRY)
    result = run("teams", "unlink", "Leeds United", *options)
    assert result.exit_code == 0, result.output
    assert "no longer" in result.output
    assert json.loads(run("--json", "teams", "list").stdout) == []
    refused = run("teams", "link", "Manchester", "Manchester", *options)
    assert isinstance(refused.exception, TeamUnknown)
    assert "Man City" in str(refused.exception)


def test_link_settles_a_name_and_replays_what_waited_for_it(run: Any, landed: Settings):
    result = run("teams", "link", "Manchester", "Man United", "--source", SOURCE, "--country", COUNTRY)
    assert result.exit_code == 0, result.output
    assert "means Man United" in result.output
    assert "No name is in doubt" in run("teams", "review").output
    with connect(landed, "ingest") as connection:
        assert teams.settled_links(connection, SOURCE, COUNTRY)["Manchester"] == "Man United"
