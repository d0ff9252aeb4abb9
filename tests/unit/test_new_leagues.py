"""The files of football-data.co.uk that hold all seasons of a country, read by the same machinery as season files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from builders import match_row, season_csv
from scripted_provider import client_of
from touchline.errors import PayloadRejected
from touchline.identity.competitions import competitions
from touchline.sources.configuration import read_configuration
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.football_data_uk.new_leagues import CODES, read_season
from touchline.sources.football_data_uk.parse import fixture_key, parse
from touchline.sources.football_data_uk.site import SiteDialect, SiteSource
from touchline.sources.source import KINDS, Observations, Rejection, Reply, Request

ARG = "new/ARG.csv"
MATCH = {
    "Country": "Argentina", "League": "Liga Profesional", "Season": "2012/2013", "Date": "04/08/2012", "Time": "01:15",
    "Home": "Arsenal Sarandi", "Away": "Union de Santa Fe", "HG": "1", "AG": "0", "Res": "H",
}  # fmt: skip
OLD = {
    "PH": "1.90",
    "PD": "3.39",
    "PA": "5.03",
    "MaxH": "1.9",
    "MaxD": "3.5",
    "MaxA": "5.1",
    "AvgH": "1.76",
    "AvgD": "3.3",
    "AvgA": "4.7",
}
NEW = {
    "PSCH": "1.90", "PSCD": "3.39", "PSCA": "5.03", "MaxCH": "1.95", "MaxCD": "3.5", "MaxCA": "5.1", "AvgCH": "1.76",
    "AvgCD": "3.3", "AvgCA": "4.7", "BFECH": "1.97", "BFECD": "3.5", "BFECA": "5.2", "B365CH": "1.83", "B365CD": "3.4",
    "B365CA": "4.75",
}  # fmt: skip


def row(prices: Mapping[str, str] = NEW, **changes: str) -> dict[str, str]:
    return {**MATCH, **prices, **changes}


def parse_rows(*rows: Mapping[str, str], endpoint: str = ARG) -> Observations:
    return parse(endpoint, season_csv(rows))


def only_rejection(found: Observations) -> Rejection:
    (rejection,) = found.rejections
    return rejection


def test_a_row_becomes_a_fixture_and_a_score_of_the_files_competition():
    found = parse_rows(row())
    assert (found.n_rows, found.n_parsed, found.rejections) == (1, 1, [])
    fixture = found.fixtures.row(0, named=True)
    assert (fixture["competition"], fixture["season"], fixture["status"]) == ("ARG", "2012/13", "played")
    assert fixture["fixture_key"] == str(
        fixture_key("ARG", date(2012, 8, 4), "Arsenal Sarandi", "Union de Santa Fe")
    )
    # Times are those of the United Kingdom here too.
    assert fixture["kickoff_at"] == datetime(2012, 8, 4, 0, 15, tzinfo=UTC)
    score = found.scores.row(0, named=True)
    assert (score["home_goals"], score["away_goals"], score["home_goals_half_time"]) == (1, 0, None)


def test_newer_copies_hold_closing_prices_of_named_bookmakers():
    found = parse_rows(row())
    assert found.quotes["is_closing"].all()
    assert set(found.quotes["bookmaker"]) == {"PS", "market_maximum", "market_average", "BFE", "B365"}
    assert (found.quotes["quoted_at"] == datetime(2012, 8, 4, 0, 15, tzinfo=UTC)).all()


def test_the_bare_columns_of_older_copies_are_the_same_closing_prices():
    old, new = parse_rows(row(OLD)), parse_rows(row())
    assert old.quotes["is_closing"].all()
    assert set(old.quotes["bookmaker"]) == {"PS", "market_maximum", "market_average"}
    key = ["fixture_key", "bookmaker", "is_closing", "line"]
    both = old.quotes.join(new.quotes, on=key, suffix="_new").filter(old.quotes["bookmaker"] == "PS")
    assert (both["price_home"] == both["price_home_new"]).all()
    assert both.height == 1


def test_bare_columns_beside_closing_ones_are_pre_match_prices():
    quotes = parse_rows(row({**OLD, **NEW})).quotes
    pinnacle = quotes.filter(quotes["bookmaker"] == "PS").sort("is_closing")
    assert pinnacle["is_closing"].to_list() == [False, True]
    assert pinnacle["quoted_at"][0] < pinnacle["quoted_at"][1]


def test_bookmakers_whose_code_ends_in_c_keep_it():
    quotes = parse_rows(
        row({"VCH": "1.90", "VCD": "3.40", "VCA": "5.00", "VCCH": "1.92", "VCCD": "3.40", "VCCA": "4.90"})
    ).quotes
    assert set(quotes["bookmaker"]) == {"VC"}
    assert sorted(quotes["is_closing"]) == [False, True]


def test_columns_of_a_strange_code_do_no_harm():
    names = [f"{code}{side}" for code in ("C", "HC", "FTC") for side in "HDA"]
    assert parse_rows(row(dict.fromkeys(names, "3.1"))).n_parsed == 1


@pytest.mark.parametrize(
    ("text", "label"),
    [("2012", "2012"), ("2012/2013", "2012/13"), ("1999/2000", "1999/00"), ("2012/2014", None), ("2012/13", None),
     ("", None), ("12", None), ("3000", None), ("٢٠١٢", None)],
)  # fmt: skip
def test_seasons_are_read_in_both_forms(text: str, label: str | None):
    found = read_season(text)
    assert (None if found is None else found[0]) == label


def test_a_calendar_year_holds_its_own_days_and_the_late_end_of_2020():
    brazil = {
        "Country": "Brazil",
        "League": "Serie A",
        "Season": "2020",
        "Home": "Flamengo RJ",
        "Away": "Sao Paulo",
    }
    found = parse_rows(
        row(**brazil, Date="08/08/2020"), row(**brazil, Date="25/02/2021"), row(**brazil, Date="01/05/2021"),
        row(**brazil, Date="31/12/2019"), endpoint="new/BRA.csv",
    )  # fmt: skip
    assert found.fixtures["season"].to_list() == ["2020", "2020"]
    assert [(item.row_number, item.rule) for item in found.rejections] == [
        (3, "date_outside_season"), (4, "date_outside_season"),
    ]  # fmt: skip


def test_one_file_holds_many_seasons_and_leagues():
    found = parse_rows(
        row(),
        row(Season="2013/2014", Date="03/08/2013"),
        row(Season="2021", Date="05/03/2021", League="Copa de la Liga"),
    )
    assert found.fixtures["season"].to_list() == ["2012/13", "2013/14", "2021"]
    assert set(found.fixtures["competition"]) == {"ARG"}


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"Season": "12/13"}, "Season", "season_format"),
        ({"Season": ""}, "Season", "season_format"),
        ({"Date": "2012-08-04"}, "Date", "date_format"),
        ({"Country": "Brazil"}, "Country", "wrong_competition"),
        ({"Home": ""}, "HomeTeam", "team_missing"),
        ({"Away": "Arsenal Sarandi"}, "AwayTeam", "team_against_itself"),
        ({"HG": "x"}, "FTHG", "goals_invalid"),
        ({"Res": "A"}, "FTR", "result_contradicts_goals"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_naming_the_field(
    changes: dict[str, str], field: str, rule: str
):
    found = parse_rows(row(Date="11/08/2012"), row(**changes))
    assert (found.n_rows, found.n_parsed) == (2, 1)
    rejection = only_rejection(found)
    assert (rejection.row_number, rejection.field, rejection.rule) == (2, field, rule)


def test_a_match_without_a_result_is_a_fixture():
    found = parse_rows(row(HG="", AG="", Res=""))
    assert (found.fixtures["status"].item(), found.scores.height) == ("scheduled", 0)


@pytest.mark.parametrize("cell", ["9" * 5000, "\x00", "\ufffd", '"'])
@pytest.mark.parametrize("field", ["Season", "Date", "Time", "Home", "HG", "PSCH"])
def test_a_damaged_cell_costs_at_most_its_row(field: str, cell: str):
    found = parse_rows(row(), row(**{"Date": "11/08/2012", field: cell}))
    rejected = [item for item in found.rejections if item.scope == "row"]
    assert found.n_parsed + len(rejected) == found.n_rows == 2
    assert found.fixtures["row_number"][0] == 1
    assert "\x00" not in found.fixtures.write_csv()


@pytest.mark.parametrize(
    ("season", "day", "is_of_it"),
    [
        ("2019/2020", "05/08/2020", True), ("2019/2020", "31/08/2020", True), ("2019/2020", "01/09/2020", False),
        ("2019/2020", "31/05/2019", False), ("2020", "26/02/2021", True), ("2020", "07/03/2021", False),
    ],
)  # fmt: skip
def test_a_season_that_ended_late_has_all_its_matches(season: str, day: str, is_of_it: bool):
    found = parse_rows(row(Season=season, Date=day))
    assert [each.rule for each in found.rejections] == [] if is_of_it else ["date_outside_season"]


def test_a_cell_too_long_to_be_one_costs_its_row():
    found = parse_rows(row(Home="x" * 200_000), row(Date="11/08/2012"))
    assert [(each.row_number, each.rule) for each in found.rejections] == [(1, "row_unreadable")]
    assert (found.n_rows, found.n_parsed) == (2, 1)


def test_a_file_with_other_columns_is_rejected_naming_what_is_missing():
    with pytest.raises(PayloadRejected, match=r"new/ARG\.csv.*Country, Season"):
        parse(ARG, season_csv([match_row()]))
    with pytest.raises(PayloadRejected, match="Div"):
        parse("mmz4281/2223/E0.csv", season_csv([row()]))


def test_every_code_is_a_competition_that_the_source_is_configured_for():
    configured = read_configuration().sources["football_data_uk"].competitions
    for code in CODES:
        assert competitions()[code].tier == 1
        assert not competitions()[code].is_simulated
        assert configured[code] == code


def test_the_site_is_asked_for_one_file_a_country_and_never_for_season_files_of_it():
    configuration = read_configuration().sources["football_data_uk"].model_copy(update={"history_seasons": 2})
    client, _ = client_of(configuration.address, "football_data_uk", SiteDialect())
    site = SiteSource(configuration, client)
    wanted = [item.endpoint for item in site.requests(KINDS, datetime(2025, 9, 1, tzinfo=UTC))]
    assert [item for item in wanted if item.startswith("new/")] == [f"new/{code}.csv" for code in CODES]
    assert not [item for item in wanted if item.startswith("mmz4281/") and item[13:-4] in CODES]
    assert "mmz4281/2526/E0.csv" in wanted
    again = [item.endpoint for item in site.backfill(("scores",), date(2024, 8, 1), date(2025, 8, 1))]
    assert {item.split("/")[1] for item in again if item.startswith("mmz")} == {"2425", "2526"}


def folder_of(tmp_path: Path, *rows: Mapping[str, str]) -> FolderSource:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "BRA.csv").write_bytes(season_csv(rows))
    (tmp_path / "new" / "ZZZ.csv").write_bytes(season_csv(rows))
    return FolderSource(tmp_path, [*CODES, "E0"])


def test_a_folder_serves_the_file_without_the_future_and_lists_what_is_ahead(tmp_path: Path):
    brazil = {"Country": "Brazil", "League": "Serie A", "Season": "2025", "Away": "Sao Paulo"}
    folder = folder_of(
        tmp_path,
        row(**brazil, Date="02/08/2025", Home="Santos"),
        row(**brazil, Date="09/08/2025", Home="Gremio"),
    )
    assert list(folder.ignored) == ["new/ZZZ.csv"]
    as_of = datetime(2025, 8, 5, 12, tzinfo=UTC)
    wanted = {item.endpoint: item for item in folder.requests(KINDS, as_of)}
    assert set(wanted) == {"new/BRA.csv", "fixtures.csv"}
    played, ahead = (folder.fetch(wanted[name], as_of, {}) for name in ("new/BRA.csv", "fixtures.csv"))
    assert isinstance(played, Reply)
    assert isinstance(ahead, Reply)
    results = folder.parse(wanted["new/BRA.csv"], played.body)
    fixtures = folder.parse(wanted["fixtures.csv"], ahead.body)
    assert (results.fixtures["home_team"].to_list(), results.rejections) == (["Santos"], [])
    assert (fixtures.fixtures["home_team"].to_list(), fixtures.rejections) == (["Gremio"], [])
    assert fixtures.fixtures["season"].item() == results.fixtures["season"].item() == "2025"
    # Closing prices are known only when the match begins.
    assert fixtures.quotes.is_empty()
    assert results.quotes.height == 5


def test_a_folder_says_the_season_of_what_is_ahead_and_of_no_season_that_has_not_begun(tmp_path: Path):
    (tmp_path / "1920").mkdir()
    late = match_row(Date="11/07/2020")
    (tmp_path / "1920" / "E0.csv").write_bytes(
        season_csv([match_row(Date="04/07/2020", HomeTeam="Leeds"), late])
    )
    brazil = {"Country": "Brazil", "League": "Serie A", "Away": "Sao Paulo"}
    folder = folder_of(
        tmp_path,
        row(**brazil, Season="2019", Date="10/07/2020", Home="Santos"),
        row(**brazil, Season="2020", Date="08/08/2020", Home="Gremio"),
        row(**brazil, Season="2021", Date="29/05/2021", Home="Santos"),
        row(**brazil, Season="2020/2021", Date="09/08/2020", Home="Bahia"),
    )
    as_of = datetime(2020, 7, 5, 12, tzinfo=UTC)
    (wanted,) = folder.requests(["fixtures"], as_of)
    ahead = folder.fetch(wanted, as_of, {})
    assert isinstance(ahead, Reply)
    found = folder.parse(wanted, ahead.body)
    seasons = found.fixtures.select("competition", "home_team", "season").rows()
    assert sorted(seasons) == [
        ("BRA", "Bahia", "2020/21"), ("BRA", "Gremio", "2020"), ("E0", "Arsenal", "2019/20"),
    ]  # fmt: skip
    assert [each.rule for each in found.rejections] == ["date_outside_season"]


def test_a_folder_backfills_the_files_of_a_country_with_any_range(tmp_path: Path):
    wanted = folder_of(tmp_path, row()).backfill(("scores",), date(2020, 1, 1), date(2020, 2, 1))
    assert wanted == [Request("football_data_uk", "new/BRA.csv")]


def test_the_real_lists_of_fixtures_parse_or_name_the_field(shared_data: Path):
    copies = sorted((shared_data / "football_data_uk" / "fixtures_samples").glob("*.csv"))
    assert len(copies) == 3
    for path in copies:
        found = parse("fixtures.csv", path.read_bytes())
        rejected = [item for item in found.rejections if item.scope == "row"]
        assert found.n_parsed + len(rejected) == found.n_rows
        assert found.n_parsed > 0
        assert all(item.field is not None for item in found.rejections)
