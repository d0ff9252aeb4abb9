"""Landing: stored before parsed, nothing lost, nothing twice, nothing from the future."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from builders import match_row, season_csv, write_season_file
from planted_world import land as land_answers
from touchline.clock import virtual_clock
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.errors import SettingsInvalid, SourceUnavailable
from touchline.landing import payloads
from touchline.landing.collect import CollectReport, collect
from touchline.landing.observations import write_facts
from touchline.landing.rejects import RejectFilter, count_rejects, list_rejects
from touchline.landing.replay import replay_rejected
from touchline.quality.history import count_rules
from touchline.settings import Settings
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.source import (
    FIXTURE_SCHEMA,
    QUOTE_SCHEMA,
    SCORE_SCHEMA,
    Observations,
    Reply,
    Request,
)

LATER = datetime(2023, 6, 30, tzinfo=UTC)
TABLES = ("payload", "payload_seen", "payload_parsed", "rejected_row", "fixture_observation",
          "score_observation", "odds_observation")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def run(settings: Settings, folder: Path, as_of: datetime = LATER) -> CollectReport:
    settings = settings.model_copy(update={"source": str(folder)})
    return collect(settings, virtual_clock(as_of), f"test-{as_of.isoformat()}")


def counts(settings: Settings) -> dict[str, int]:
    with connect(settings, "ingest") as connection:
        return {table: scalar(connection, f"select count(*) from landing.{table}") for table in TABLES}


def fetch(settings: Settings, query: str) -> list[dict[str, Any]]:
    with connect(settings, "ingest") as connection:
        return rows(connection, query)


def test_a_file_is_landed_with_its_bytes_and_every_row_accounted_for(settings: Settings, folder: Path):
    path = write_season_file(folder, [match_row(), match_row(HomeTeam="Leeds", Date="nonsense")])
    report = run(settings, folder)
    assert (report.rows, report.parsed, report.rejected, report.new_scores) == (2, 1, 1, 1)
    (stored,) = fetch(settings, "select body from landing.payload where endpoint like 'mmz%'")
    assert zlib.decompress(stored["body"]) == path.read_bytes()
    (rejected,) = fetch(settings, "select * from landing.rejected_row")
    assert (rejected["rule"], rejected["field"], rejected["value"]) == ("date_format", "Date", "nonsense")
    assert "Leeds" in rejected["row_text"]


def test_the_same_collection_twice_adds_nothing(settings: Settings, folder: Path):
    write_season_file(folder, [match_row(), match_row(HomeTeam="Leeds", B365H="0")])
    run(settings, folder)
    before = counts(settings)
    report = run(settings, folder)
    assert (report.new_payloads, report.seen_again) == (0, 2)
    assert counts(settings) == before


def test_a_corrected_score_and_a_moved_price_are_new_observations_beside_the_old(
    settings: Settings, folder: Path
):
    write_season_file(folder, [match_row(), match_row(HomeTeam="Leeds")])
    run(settings, folder)
    write_season_file(folder, [match_row(FTHG="3", B365H="2.10"), match_row(HomeTeam="Leeds")])
    report = run(settings, folder, datetime(2023, 7, 1, tzinfo=UTC))
    assert (report.new_fixtures, report.new_scores, report.new_quotes) == (0, 1, 1)
    versions = fetch(settings, "select home_goals, known_at from landing.score_observation "
                     "where fixture_key in (select fixture_key from landing.fixture_observation "
                     "where home_team = 'Arsenal') order by payload_id")  # fmt: skip
    assert [version["home_goals"] for version in versions] == [2, 3]
    # The first body is history, dated by the publisher; the correction is dated by when we saw it.
    assert versions[0]["known_at"] == datetime(2023, 1, 15, 6, tzinfo=UTC)
    assert versions[1]["known_at"] == datetime(2023, 7, 1, tzinfo=UTC)


def test_a_value_that_cannot_be_used_is_one_finding_in_all_versions_of_its_file(
    settings: Settings, folder: Path
):
    bad = match_row(HomeTeam="Leeds", B365H="0", HS="many", Unheard="1")
    undated = match_row(HomeTeam="Derby", Date="soon")
    write_season_file(folder, [match_row(Date="14/01/2022", Unheard="1")], code="2122")
    first, second, third = (datetime(2023, 6, day, tzinfo=UTC) for day in (1, 2, 3))
    write_season_file(folder, [bad, undated])
    reports = [run(settings, folder, first)]
    # A late result moves the rows, and a corrected price beside the bad one is no news of it.
    write_season_file(
        folder,
        [match_row(Date="07/01/2023"), {**bad, "AvgH": "2.01"}, undated, undated, {**undated, "Div": "E1"}],
    )
    reports.append(run(settings, folder, second))
    write_season_file(folder, [match_row(Date="07/01/2023"), {**bad, "B365H": "1"}, undated])
    reports.append(run(settings, folder, third))
    assert [report.rejected_prices for report in reports] == [1, 0, 1]
    found = count_rejects(settings, RejectFilter(third))
    assert {(each.rule, each.field): (each.n, each.n_open, each.last_at) for each in found} == {
        ("column_unknown", "Unheard"): (2, 2, first),
        ("price_invalid", "B365H/B365D/B365A"): (2, 2, third),
        ("statistic_invalid", "HS"): (1, 1, first),
        ("date_format", "Date"): (2, 2, second),
        ("wrong_competition", "Div"): (1, 1, second),
    }
    shown = list_rejects(settings, RejectFilter(third, rule="statistic_invalid"), 10)
    assert [(each.row_number, each.observed_at, each.first_observed_at) for each in shown] == [
        (2, third, first)
    ]
    assert list_rejects(settings, RejectFilter(third, rule="statistic_invalid", since=second), 10) == []
    # As of the second day nobody has seen the third.
    (before,) = count_rejects(settings, RejectFilter(second, rule="price_invalid"))
    assert before.n == 1
    runs = [
        {each.rule: (each.n_in_run, each.n_ever) for each in count_rules(settings, f"test-{day.isoformat()}")}
        for day in (first, second, third)
    ]
    assert [of_run["column_unknown"] for of_run in runs] == [(2, 2), (0, 2), (0, 2)]
    assert [of_run["price_invalid"] for of_run in runs] == [(1, 2), (0, 2), (1, 2)]
    # Every version keeps its own records.
    assert counts(settings)["rejected_row"] == 5 + 6 + 4


HANDICAPS = {
    "AHh": "-0.5", "B365AHH": "1.90", "B365AHA": "2.00", "AHCh": "-0.25", "B365CAHH": "1.95", "B365CAHA": "1.95",
}  # fmt: skip


def standing(settings: Settings) -> set[tuple[str, str, str, float, float]]:
    """Home team, bookmaker, market, line and home price of the last version of each quote, unless it was withdrawn."""
    found = fetch(
        settings,
        "select distinct on (fixture_key, bookmaker, market, is_closing, line) home_team, bookmaker, "
        "market || case when is_closing then ' closing' else '' end as market, line, price_home "
        "from landing.odds_observation inner join landing.fixture_observation as fixture using (fixture_key) "
        "order by fixture_key, bookmaker, market, is_closing, line, odds_observation.payload_id desc",
    )
    return {
        (row["home_team"], row["bookmaker"], row["market"], row["line"], round(row["price_home"], 2))
        for row in found
        if row["price_home"] is not None
    }


@pytest.mark.parametrize(
    ("change", "gone", "new"),
    [
        pytest.param(
            {"AHCh": "-0.75"}, {("B365", "asian_handicap closing", -0.25, 1.95)},
            {("B365", "asian_handicap closing", -0.75, 1.95)}, id="another line",
        ),
        pytest.param(
            {"B365H": "", "B365D": "", "B365A": ""}, {("B365", "1x2", 0, 2.0)}, set(), id="emptied"
        ),
        pytest.param({"B365H": "1.1"}, {("B365", "1x2", 0, 2.0)}, set(), id="no longer of use"),
        pytest.param({"AvgCH": "1.96"}, {("market_average", "1x2 closing", 0, 1.95)},
            {("market_average", "1x2 closing", 0, 1.96)}, id="corrected"),
        pytest.param({"Date": "no day"}, set(), set(), id="row rejected"),
        pytest.param({"FTHG": "3"}, set(), set(), id="result corrected"),
    ],
)  # fmt: skip
def test_a_quote_that_the_corrected_file_no_longer_holds_is_withdrawn(
    settings: Settings, folder: Path, change: dict[str, str], gone: set[Any], new: set[Any]
):
    row, other = match_row(**HANDICAPS), match_row(**HANDICAPS, HomeTeam="Leeds")
    write_season_file(folder, [row, other])
    run(settings, folder)
    before = standing(settings)
    assert len(before) == 10
    write_season_file(folder, [row | change, other])
    run(settings, folder, datetime(2023, 7, 1, tzinfo=UTC))
    after = {("Arsenal", *each) for each in new} | before - {("Arsenal", *each) for each in gone}
    assert standing(settings) == after
    write_season_file(folder, [row, other])
    run(settings, folder, datetime(2023, 7, 2, tzinfo=UTC))
    assert standing(settings) == before, "what comes back stands again"


def goals_quotes(*lines: tuple[str, float]) -> Observations:
    """What an API tells of one match: over and under by bookmaker and line, the prices always the same."""
    schemas = [
        {"fixture_key": pl.String}
        | {name: kind for name, kind in schema.items() if name != "source_match_id"}
        for schema in (FIXTURE_SCHEMA, SCORE_SCHEMA, QUOTE_SCHEMA)
    ]
    fixtures, scores, quotes = (pl.DataFrame(schema=schema) for schema in schemas)
    told = {
        "fixture_key": "00000000-0000-0000-0000-000000000001", "market": "over_under", "is_closing": False,
        "price_over": 1.9, "price_under": 2.0, "row_number": 1, "quoted_at": LATER, "published_at": LATER,
    }  # fmt: skip
    rows = [told | {"bookmaker": bookmaker, "line": line} for bookmaker, line in lines]
    quotes = pl.DataFrame(rows, schema=quotes.schema)
    return Observations(1, 1, fixtures, scores, quotes, ())


def test_in_every_source_another_line_withdraws_those_the_bookmaker_no_longer_has(settings: Settings):
    told = (
        [("PS", 2.5), ("B365", 2.5), ("B365", 3.5)],
        [("PS", 2.75), ("B365", 2.5), ("B365", 3.0)],
        # Who is silent for a while withdraws nothing.
        [("B365", 2.5)],
    )
    stands = []
    with connect(settings, "ingest") as connection:
        for minute, lines in enumerate(told):
            at = LATER + timedelta(minutes=minute)
            payloads.store(
                connection, Request("the_odds_api", "odds"), Reply(str(lines).encode()), at, "test"
            )
            newest = payloads.unparsed(connection, "the_odds_api")[-1]
            write_facts(connection, payloads.read_again(connection, newest), goals_quotes(*lines))
            last = rows(
                connection,
                "select distinct on (bookmaker, line) bookmaker, line, price_over from landing.odds_observation "
                "order by bookmaker, line, payload_id desc",
            )
            stands.append({(row["bookmaker"], row["line"]) for row in last if row["price_over"] is not None})
    assert stands == [set(told[0]), set(told[1]), {("PS", 2.75), ("B365", 2.5)}]


def test_a_column_or_row_that_a_file_lacks_withdraws_nothing(settings: Settings, folder: Path):
    row = match_row(**HANDICAPS)
    write_season_file(folder, [row, match_row(HomeTeam="Leeds")])
    run(settings, folder)
    before = standing(settings)
    write_season_file(folder, [{name: value for name, value in row.items() if not name.startswith("B365")}])
    assert run(settings, folder, datetime(2023, 7, 1, tzinfo=UTC)).new_quotes == 0
    assert standing(settings) == before


def test_a_list_withdraws_prices_of_matches_ahead_and_nothing_of_those_that_have_begun(
    settings: Settings, folder: Path
):
    unplayed = {"Date": "21/01/2023", "FTHG": "", "FTAG": "", "FTR": ""}
    row = match_row(**HANDICAPS, **unplayed)
    emptied = row | {"B365H": "", "B365D": "", "B365A": ""}
    write_season_file(folder, [row])
    run(settings, folder, datetime(2023, 1, 20, 18, tzinfo=UTC))
    before = standing(settings)
    assert len(before) == 3
    for hour, change, expected in (
        (10, emptied, before - {("Arsenal", "B365", "1x2", 0, 2.0)}),
        (11, row, before),
        (18, emptied | {"AHh": "0"}, before | {("Arsenal", "B365", "asian_handicap", 0, 1.9)}),
    ):
        write_season_file(folder, [change])
        run(settings, folder, datetime(2023, 1, 21, hour, tzinfo=UTC))
        assert standing(settings) == expected, hour


def test_nothing_after_as_of_is_landed_not_even_in_the_payload(settings: Settings, folder: Path):
    played, later = match_row(), match_row(HomeTeam="Leeds", Date="21/01/2023", FTHG="7")
    write_season_file(folder, [played, later])
    as_of = datetime(2023, 1, 18, tzinfo=UTC)
    report = run(settings, folder, as_of)
    assert (report.rows, report.parsed, report.new_scores) == (2, 2, 1)
    bodies = [zlib.decompress(row["body"]) for row in fetch(settings, "select body from landing.payload")]
    assert not any(b",7," in body for body in bodies)
    statuses = fetch(settings, "select home_team, status from landing.fixture_observation order by 1")
    assert [(row["home_team"], row["status"]) for row in statuses] == [
        ("Arsenal", "played"),
        ("Leeds", "scheduled"),
    ]
    latest = fetch(settings, "select max(known_at) as at from landing.odds_observation")
    assert latest[0]["at"] <= as_of


def test_a_fact_is_public_at_the_latest_when_it_is_seen(settings: Settings):
    # By the timetable results come out at six the next morning.
    evening = datetime(2023, 1, 14, 20, tzinfo=UTC)
    land_answers(settings, {"mmz4281/2223/E0.csv": season_csv([match_row()])}, evening)
    for table in ("fixture_observation", "score_observation"):
        (dated,) = fetch(settings, f"select published_at, observed_at, known_at from landing.{table}")
        assert dated["published_at"] == dated["known_at"] <= dated["observed_at"] == evening


def test_prices_of_a_fixture_appear_once_they_are_collected(settings: Settings, folder: Path):
    write_season_file(folder, [match_row(Date="21/01/2023", FTHG="", FTAG="", FTR="")])
    thursday, saturday = (datetime(2023, 1, day, tzinfo=UTC) for day in (19, 21))
    assert run(settings, folder, thursday).new_quotes == 0
    report = run(settings, folder, saturday)
    assert report.new_quotes == 2
    closing = fetch(settings, "select count(*) as n from landing.odds_observation where is_closing")
    assert closing[0]["n"] == 0


def test_a_season_that_has_not_begun_is_not_asked_for(folder: Path):
    write_season_file(folder, [match_row()])
    write_season_file(folder, [match_row(Date="14/10/2023")], code="2324")
    requests = FolderSource(folder, ["E0"]).requests(["scores"], LATER)
    assert [request.endpoint for request in requests] == ["mmz4281/2223/E0.csv"]


def test_a_payload_stored_by_a_killed_run_is_parsed_by_the_next(settings: Settings, folder: Path):
    write_season_file(folder, [match_row()])
    body = season_csv([match_row(HomeTeam="Leeds")])
    with connect(settings, "ingest") as connection:
        request = Request("football_data_uk", "mmz4281/2122/E0.csv")
        payloads.store(connection, request, Reply(body.replace(b"2023", b"2022")), LATER, "killed")
    report = run(settings, folder)
    assert {file.endpoint for file in report.files} == {
        "mmz4281/2122/E0.csv", "mmz4281/2223/E0.csv", "fixtures.csv",
    }  # fmt: skip
    assert report.new_scores == 2


def test_bad_files_are_reported_and_the_good_ones_kept(settings: Settings, folder: Path):
    write_season_file(folder, [match_row()])
    for competition, body in (
        ("E1", b""),
        ("E2", b"<html>sorry</html>"),
        ("ZZ", season_csv([match_row(Div="ZZ")])),
    ):
        (folder / "2223" / f"{competition}.csv").write_bytes(body)
    report = run(settings, folder)
    assert report.new_scores == 1
    assert len(report.problems) == 2
    assert {"payload", "row"} == {
        row["scope"] for row in fetch(settings, "select scope from landing.rejected_row")
    }
    # Known to be bad: not tried again, not lost.
    assert run(settings, folder).problems == ()


def test_a_quote_that_is_not_closed_costs_its_own_row_in_a_season_that_goes_on(
    settings: Settings, folder: Path
):
    season = [match_row(Date=f"{day:02d}/01/2023", AwayTeam=f"Away {day}") for day in range(2, 8)]
    path = write_season_file(folder, season)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b",Arsenal,", b',"Arsenal,')
    path.write_bytes(b"".join(lines))
    report = run(settings, folder, datetime(2023, 1, 6, 12, tzinfo=UTC))
    assert [(file.rows, file.parsed) for file in report.files if file.endpoint.endswith("E0.csv")] == [(4, 3)]
    (rejected,) = fetch(settings, "select rule, row_number, row_text from landing.rejected_row")
    assert rejected == {"rule": "row_unreadable", "row_number": 3, "row_text": lines[3].decode().strip()}


def test_a_payload_that_the_database_refuses_stops_no_other_and_is_used_once_it_can_be(
    settings: Settings, folder: Path
):
    write_season_file(folder, [match_row(), match_row(HomeTeam="Leeds", FTHG="9")])
    write_season_file(folder, [match_row(Div="E1")], competition="E1")
    constraint = "alter table landing.score_observation {} constraint too_many_goals {}"
    owner = settings.url("owner")
    with open_url(owner) as connection:
        connection.execute(constraint.format("add", "check (home_goals < 9)"))
    report = run(settings, folder)
    assert [file.parsed for file in report.files if file.endpoint.endswith("E1.csv")] == [1]
    assert len(report.problems) == 1
    assert "E0.csv: the database refuses its facts" in report.problems[0]
    assert "too_many_goals" in report.problems[0]
    (rejected,) = fetch(settings, "select scope, rule, reason from landing.rejected_row")
    assert (rejected["scope"], rejected["reason"]) == ("payload", report.problems[0])

    sourced = settings.model_copy(update={"source": str(folder)})
    assert run(settings, folder).problems == (), "not tried again by a collection"
    assert replay_rejected(sourced, virtual_clock(LATER), "too early").n_settled == 0
    with open_url(owner) as connection:
        connection.execute(constraint.format("drop", ""))
    assert replay_rejected(sourced, virtual_clock(LATER), "replay").new_scores == 2


def test_misplaced_files_are_named(settings: Settings, folder: Path):
    write_season_file(folder, [match_row()])
    (folder / "E0 (1).csv").write_bytes(season_csv([match_row()]))
    assert run(settings, folder).ignored_files == ("E0 (1).csv",)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_without_season_files_is_refused_with_what_was_expected(
    settings: Settings, folder: Path, make: Any
):
    make(folder)
    with pytest.raises(SourceUnavailable, match=r"SSSS/DIV\.csv"):
        run(settings, folder)


def test_real_and_simulated_football_never_share_a_database(settings: Settings, folder: Path):
    write_season_file(folder, [match_row()])
    run(settings, folder)
    with (
        connect(settings, "ingest") as connection,
        pytest.raises(SettingsInvalid, match="holds real football"),
    ):
        payloads.claim_world(connection, "sandbox", is_simulated=True)


def test_the_real_fixtures_files_parse_fully(shared_data: Path, settings: Settings, tmp_path: Path):
    for number, path in enumerate(
        sorted((shared_data / "football_data_uk" / "fixtures_samples").glob("*.csv"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "fixtures.csv").write_bytes(path.read_bytes())
        report = run(settings, folder, datetime(2026, 1, 27, 15, 30, tzinfo=UTC))
        assert report.rows == report.parsed > 20
        assert report.new_fixtures > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seasons", "n_rows", "n_rejected", "n_scores", "fewest_quotes"),
    [
        pytest.param("1819", 7_690, 0, 7_689, 99_000, id="one season"),
        pytest.param("*", 218_029, 1, 218_026, 2_800_000, id="all", marks=pytest.mark.nightly),
    ],
)
def test_every_row_of_real_season_files_is_accounted_for(
    settings: Settings, season_files: Path, folder: Path,
    seasons: str, n_rows: int, n_rejected: int, n_scores: int, fewest_quotes: int,
):  # fmt: skip
    folder.mkdir()
    for season in season_files.glob(seasons):
        (folder / season.name).symlink_to(season)
    report = run(settings, folder)
    assert report.problems == ()
    assert (report.rows, report.parsed, report.rejected) == (n_rows, n_rows - n_rejected, n_rejected)
    assert report.new_scores == n_scores
    assert report.new_quotes > fewest_quotes
    landed = counts(settings)
    assert landed["score_observation"] == n_scores
    assert landed["odds_observation"] == report.new_quotes
    again = run(settings, folder)
    assert (again.new_payloads, again.rows) == (0, 0)
    assert counts(settings) == landed
