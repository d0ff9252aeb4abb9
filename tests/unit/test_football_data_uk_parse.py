"""Reading football-data.co.uk files: every row is parsed or rejected, every bad value is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import match_row, season_csv
from touchline.errors import PayloadRejected
from touchline.quality.rules import catalogue
from touchline.sources.football_data_uk.parse import parse
from touchline.sources.source import Observations, Rejection

E0 = "mmz4281/2223/E0.csv"
UNPLAYED = {"FTHG": "", "FTAG": "", "FTR": ""}


def parse_one(**changes: str) -> Observations:
    return parse(E0, season_csv([match_row(**changes)]))


def only_rejection(found: Observations) -> Rejection:
    (rejection,) = found.rejections
    return rejection


def test_a_row_becomes_a_fixture_a_score_and_its_quotes():
    found = parse_one(HS="12", AST="3")
    assert (found.n_rows, found.n_parsed, found.rejections) == (1, 1, [])
    assert found.fixtures["season"].item() == "2022/23"
    score = found.scores.row(0, named=True)
    assert (score["home_goals"], score["away_goals"], score["home_shots"]) == (2, 1, 12)
    assert score["away_shots_on_target"] == 3
    quotes = {(row["bookmaker"], row["is_closing"]) for row in found.quotes.iter_rows(named=True)}
    assert quotes == {("B365", False), ("market_average", False), ("market_average", True)}


def test_kickoff_is_read_in_uk_time_and_kept_in_utc():
    winter = parse_one(Date="14/01/2023", Time="15:00").fixtures["kickoff_at"].item()
    summer = parse_one(Date="15/04/2023", Time="15:00").fixtures["kickoff_at"].item()
    assert winter == datetime(2023, 1, 14, 15, tzinfo=UTC)
    assert summer == datetime(2023, 4, 15, 14, tzinfo=UTC)


@pytest.mark.parametrize("day", ["27/03/2022", "26/03/2023"])
def test_an_hour_that_the_clocks_skip_is_read_by_the_clock_not_yet_put_forward(day: str):
    season = {"27/03/2022": "2122", "26/03/2023": "2223"}[day]
    body = season_csv(
        [match_row(Date=day, Time="01:30"), match_row(Date=day, Time="02:30", HomeTeam="Leeds")]
    )
    found = parse(f"mmz4281/{season}/E0.csv", body)
    assert found.fixtures["kickoff_at"].dt.strftime("%H:%M").to_list() == ["01:30", "01:30"]
    assert [frame["published_at"].null_count() for frame in (found.fixtures, found.scores, found.quotes)] == [
        0
    ] * 3
    assert found.quotes["quoted_at"].null_count() == 0


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("7:45 PM", "19:45"), ("3:00pm", "15:00"), ("12:30 PM", "12:30"), ("12:30 AM", "00:30"), ("19:45:00", "19:45"),
        ("9:05", "09:05"), ("19:45abc", None), ("19:45:30", None), ("13:00 PM", None), ("0:30 AM", None),
        ("19:4", None), ("24:00", None), ("7.45", None),
    ],
)  # fmt: skip
def test_a_time_is_read_whole_or_not_at_all(text: str, time: str | None):
    found = parse_one(Date="14/01/2023", Time=text)
    (fixture,) = found.fixtures.iter_rows(named=True)
    if time is None:
        assert (only_rejection(found).rule, only_rejection(found).value) == ("time_format", text)
        assert not fixture["is_kickoff_time_known"]
    else:
        assert found.rejections == []
        assert f"{fixture['kickoff_at']:%H:%M}" == time


def test_a_missing_kickoff_time_is_the_customary_one_and_marked():
    saturday = parse_one(Date="14/01/2023", Time="").fixtures.row(0, named=True)
    tuesday = parse_one(Date="17/01/2023", Time="").fixtures.row(0, named=True)
    assert saturday["kickoff_at"] == datetime(2023, 1, 14, 15, tzinfo=UTC)
    assert tuesday["kickoff_at"] == datetime(2023, 1, 17, 19, 45, tzinfo=UTC)
    assert not saturday["is_kickoff_time_known"]


@pytest.mark.parametrize(
    ("day", "collected"),
    [("14/01/2023", 13), ("16/01/2023", 13), ("17/01/2023", 17), ("19/01/2023", 17), ("13/01/2023", 13)],
)
def test_prices_are_dated_by_the_publishers_collection_days(day: str, collected: int):
    quotes = parse_one(Date=day, Time="20:00").quotes
    early = quotes.filter(~quotes["is_closing"])["published_at"].unique().item()
    assert early == datetime(2023, 1, collected, 15, tzinfo=UTC)


def test_a_prematch_price_is_dated_before_kickoff_even_on_collection_day():
    quotes = parse_one(Date="13/01/2023", Time="13:00").quotes
    assert quotes.filter(~quotes["is_closing"])["quoted_at"].max() == datetime(2023, 1, 13, 12, tzinfo=UTC)


def test_two_digit_years_are_read():
    assert parse("mmz4281/9394/E0.csv", season_csv([match_row(Date="14/08/93")])).n_parsed == 1


def test_vc_is_a_bookmaker_and_vcc_its_closing_price():
    prices = {"VCH": "2", "VCD": "3.4", "VCA": "4", "VCCH": "2.1", "VCCD": "3.3", "VCCA": "3.9"}
    quotes = parse_one(**prices).quotes
    ours = quotes.filter(quotes["bookmaker"] == "VC").sort("is_closing")
    assert ours["is_closing"].to_list() == [False, True]


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"Div": "ZZ"}, "unknown_competition", "Div"),
        ({"Div": "E1"}, "wrong_competition", "Div"),
        ({"Date": "2023-01-14"}, "date_format", "Date"),
        ({"Date": "31/02/2023"}, "date_format", "Date"),
        ({"Date": "14/01/2021"}, "date_outside_season", "Date"),
        ({"HomeTeam": " "}, "team_missing", "HomeTeam"),
        ({"AwayTeam": "Arsenal"}, "team_against_itself", "AwayTeam"),
        ({"FTHG": "two"}, "goals_invalid", "FTHG"),
        ({"FTAG": "99"}, "goals_invalid", "FTAG"),
        ({"FTAG": ""}, "goals_invalid", "FTAG"),
        ({"FTR": "A"}, "result_contradicts_goals", "FTR"),
    ],
)
def test_a_bad_row_is_rejected_by_name_and_the_others_are_kept(
    changes: dict[str, str], rule: str, field: str
):
    good = match_row(HomeTeam="Leeds", AwayTeam="Fulham")
    found = parse(E0, season_csv([match_row(**changes), good]))
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.rule, rejection.field, rejection.row_number) == ("row", rule, field, 1)
    assert (found.n_rows, found.n_parsed) == (2, 1)


def test_the_same_match_twice_is_rejected_once():
    found = parse(E0, season_csv([match_row(), match_row()]))
    assert (found.n_parsed, only_rejection(found).rule) == (1, "duplicate_row")


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({"Date": "14/01/2023"}, {"Date": "04/03/2023"}, "04/03/2023"),
        ({"Date": "04/03/2023"}, {"Date": "14/01/2023"}, "04/03/2023"),
        ({"Date": "14/01/2023"}, {"Date": "04/03/2023", **UNPLAYED}, "14/01/2023"),
        ({"Date": "14/01/2023", **UNPLAYED}, {"Date": "04/03/2023", **UNPLAYED}, "04/03/2023"),
        ({"Date": "14/01/2023"}, {"Date": "04/03/2023", "FTHG": "3"}, "14/01/2023"),
        ({"Date": "14/01/2023", "HS": "9"}, {"Date": "04/03/2023", "HS": "12"}, "14/01/2023"),
    ],
)
def test_a_match_listed_under_two_days_is_one_where_a_pairing_meets_once(
    first: dict[str, str], second: dict[str, str], kept: str
):
    found = parse(E0, season_csv([match_row(**first), match_row(**second), match_row(HomeTeam="Leeds")]))
    (rejected,) = found.rejections
    assert (rejected.rule, rejected.field, found.n_parsed) == ("duplicate_row", "Date", 2)
    assert found.fixtures.filter(home_team="Arsenal")["kickoff_on"].item().strftime("%d/%m/%Y") == kept
    assert found.scores.height == found.fixtures.filter(status="played").height


def test_pairings_that_meet_often_are_all_read():
    days = ("01/10/2022", "15/10/2022", "01/03/2023")
    rows = [match_row(Div="SC0", Date=day, HomeTeam="Celtic", AwayTeam="Hearts") for day in days]
    assert parse("mmz4281/2223/SC0.csv", season_csv(rows)).n_parsed == 3


def test_a_list_of_fixtures_has_the_season_that_a_row_says_and_no_other():
    rows = [
        match_row(Date="11/07/2020", **UNPLAYED) | {"Season": said} for said in ("2019/2020", "", "2012/2013")
    ]
    for row, home in zip(rows, ("Arsenal", "Leeds", "Fulham"), strict=True):
        row["HomeTeam"] = home
    found = parse("fixtures.csv", season_csv(rows))
    assert found.fixtures["season"].to_list() == ["2019/20", None]
    assert [each.rule for each in found.rejections] == ["date_outside_season"]


def test_competitions_that_are_not_used_wait_in_a_list_and_not_in_their_own_file():
    rows = [match_row(**UNPLAYED), match_row(Div="EC", HomeTeam="Woking", AwayTeam="Southend", **UNPLAYED)]
    found = parse("fixtures.csv", season_csv(rows), ["E0"])
    (rejected,) = found.rejections
    assert (rejected.rule, rejected.value, found.n_parsed) == ("competition_not_used", "EC", 1)
    assert catalogue()["competition_not_used"].is_waiting
    assert parse("mmz4281/2223/EC.csv", season_csv(rows[1:]), ["E0"]).n_parsed == 1


def test_a_row_without_goals_is_a_fixture():
    found = parse_one(FTHG="", FTAG="", FTR="")
    assert (found.n_parsed, found.scores.height) == (1, 0)
    assert found.fixtures["status"].item() == "scheduled"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"B365H": "0"}, "price_invalid"),
        ({"B365H": "#"}, "price_invalid"),
        ({"B365H": "1.0"}, "price_invalid"),
        ({"B365H": ""}, "quote_incomplete"),
        ({"B365D": "1.2"}, "overround_impossible"),
    ],
)
def test_a_bad_price_is_set_aside_and_the_match_kept(changes: dict[str, str], rule: str):
    found = parse_one(**changes)
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.rule, rejection.field) == ("price", rule, "B365H/B365D/B365A")
    assert found.scores.height == 1
    assert "B365" not in found.quotes["bookmaker"].to_list()
    assert "market_average" in found.quotes["bookmaker"].to_list()


@pytest.mark.parametrize("text", ["many", "2.5", "-1", "70000"])
def test_a_bad_statistic_is_named_and_the_match_kept(text: str):
    found = parse_one(HS=text)
    assert (only_rejection(found).scope, only_rejection(found).field) == ("field", "HS")
    assert found.scores["home_shots"].item() is None


def test_old_header_names_windows_1252_and_no_break_spaces_are_read():
    body = "Div,Date,HT,AT,FTHG,FTAG,FTR\r\nD1,14/01/2023,K\u00f6ln\u00a0,M\u00fcnchen,1,1,D\r\n".encode(
        "cp1252"
    )
    found = parse("mmz4281/2223/D1.csv", body)
    assert found.fixtures.select("home_team", "away_team").row(0) == ("K\u00f6ln", "M\u00fcnchen")


def test_bare_commas_blank_headers_and_long_rows_are_layout_not_data():
    body = season_csv([match_row()]).decode()
    header, row = body.splitlines()
    body = f"{header},,\r\n{row},,,Abandoned\r\n,,,,,\r\n\r\n"
    found = parse(E0, body.encode())
    assert (found.n_rows, found.n_parsed) == (1, 1)


def test_a_file_cut_in_mid_row_keeps_the_whole_rows():
    body = season_csv([match_row(), match_row(HomeTeam="Leeds"), match_row(HomeTeam="Fulham")])
    found = parse(E0, body[:-40])
    assert (found.n_rows, found.n_parsed) == (3, 2)
    assert only_rejection(found).rule == "row_cut"


def lines_of_a_season(n: int = 6) -> list[bytes]:
    rows = [match_row(Date=f"{day:02d}/01/2023", AwayTeam=f"Away {day}") for day in range(1, n + 1)]
    return season_csv(rows).splitlines(keepends=True)


@pytest.mark.parametrize("broken", [(3,), (2, 5), (6,)])
def test_a_quote_that_is_not_closed_costs_its_own_row(broken: tuple[int, ...]):
    lines = lines_of_a_season()
    for number in broken:
        lines[number] = lines[number].replace(b",Leeds,", b',"Leeds,').replace(b",Arsenal,", b',"Arsenal,')
        assert lines[number].count(b'"') % 2
    found = parse(E0, b"".join(lines))
    assert [(each.row_number, each.rule) for each in found.rejections] == [
        (number, "row_unreadable") for number in broken
    ]
    assert found.rejections[0].row_text == lines[broken[0]].decode().strip()
    # One row a line, counted without a reader of CSV.
    assert found.n_rows == len(lines) - 1 == found.n_parsed + len(broken)


def test_columns_that_nobody_knows_are_named_once_a_file():
    body = season_csv([match_row(HTR="H", Unheard="1"), match_row(HomeTeam="Leeds")])
    found = parse(E0, body.replace(b",AvgCA", b",AvgAC", 1))
    named = [(each.row_number, each.scope, each.rule, each.field) for each in found.rejections]
    # The other closing prices of this bookmaker are read by nothing now.
    assert named == [(0, "field", "column_unknown", name) for name in ("AvgCH", "AvgCD", "AvgAC", "Unheard")]
    assert (found.n_rows, found.n_parsed) == (2, 2)


def test_quotes_that_are_closed_or_stand_within_a_cell_are_read():
    lines = season_csv([match_row(Referee='Wiley, "A" G.'), match_row(HomeTeam="Leeds", Referee="x")])
    found = parse(E0, lines.replace(b",x,", b',6" Wiley,').replace(b",x\r", b',6" Wiley\r'))
    assert found.rejections == []
    assert found.scores["referee"].to_list() == ['Wiley, "A" G.', '6" Wiley']


def test_a_carriage_return_within_a_line_costs_its_row():
    lines = lines_of_a_season()
    lines[2] = lines[2].replace(b",", b",\r", 1)
    found = parse(E0, b"".join(lines))
    assert [(each.row_number, each.rule) for each in found.rejections] == [(2, "row_unreadable")]
    assert (found.n_rows, found.n_parsed) == (6, 5)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is empty"),
        (b"\r\n \r\n", "is empty"),
        (b"<!DOCTYPE html><html>Not here</html>", "web page"),
        (b"a,b,c\r\n1,2,3\r\n", "no column Div"),
    ],
)
def test_a_body_that_is_no_such_file_is_refused_with_what_to_look_at(body: bytes, says: str):
    with pytest.raises(PayloadRejected, match=says) as caught:
        parse(E0, body)
    assert E0 in str(caught.value)


cells = st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=12)


@given(st.lists(st.dictionaries(st.sampled_from(list(match_row())), cells), min_size=1, max_size=8))
def test_whatever_the_cells_hold_every_row_is_parsed_or_rejected(changes: list[dict[str, str]]):
    body = season_csv([{**match_row(), **change} for change in changes])
    found = parse(E0, body)
    rejected = sum(rejection.scope == "row" for rejection in found.rejections)
    assert found.n_parsed + rejected == found.n_rows
