"""The planted faults: what each breaks, how bad that is, and which rule or expectation must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from planted_world import E0_FILE, FIXTURES, Bodies, as_csv, matches

Severity = Literal["block", "quarantine", "warn"]


@dataclass(frozen=True)
class Fault:
    """`caught_by` is a rule, or an expectation as `suite.column`. `change` plants it in the bodies of E0; `facts` is a
    statement of the ingesting role that stands for another source: `:keys` is the first match of the newest round,
    `:ahead` the first of the next one, `:all_ahead` all of that."""

    name: str
    caught_by: str
    severity: Severity
    change: Callable[[Bodies], object] = lambda bodies: None
    facts: str = ""


def put(where: str, place: int, **values: str) -> Callable[[Bodies], None]:
    """Change cells of one row of the newest round, or of the next one, of E0."""

    def change(bodies: Bodies) -> None:
        rows = bodies.last_round if where == "played" else bodies.ahead
        rows[place].update(values)

    return change


def every(where: str, alter: Callable[[dict[str, str]], Any]) -> Callable[[Bodies], None]:
    """Change every row of the newest round, or of the next one, of E0."""

    def change(bodies: Bodies) -> None:
        for row in bodies.last_round if where == "played" else bodies.ahead:
            alter(row)

    return change


def raw(endpoint: str, alter: Callable[[bytes], bytes]) -> Callable[[Bodies], None]:
    """Change the bytes of a body."""

    def change(bodies: Bodies) -> None:
        bodies.raw[endpoint] = alter(as_csv(bodies.rows[endpoint]))

    return change


def add(endpoint: str, **values: str) -> Callable[[Bodies], None]:
    """Add a copy of the last row of E0 in a body, changed."""

    def change(bodies: Bodies) -> None:
        bodies.rows[endpoint].append({**bodies.rows[endpoint][-1], **values})

    return change


def swap_columns(row: dict[str, str], *pairs: tuple[str, str]) -> None:
    """Exchange columns of a row."""
    for one, other in pairs:
        row[one], row[other] = row[other], row[one]


def repeat_round(bodies: Bodies) -> None:
    """The next round twice in the list, the second time two days later."""
    bodies.rows[FIXTURES] += [{**row, "Date": "14/11/2022"} for row in bodies.ahead]


def drop_results(bodies: Bodies) -> None:
    """The newest round has not been entered, and the file is that of before."""
    del bodies.rows[E0_FILE][-5:]


def shift_zone(bodies: Bodies) -> None:
    """Kick-offs of the newest round five hours later than announced."""
    for row in bodies.last_round:
        hours, minutes = row["Time"].split(":")
        row["Time"] = f"{int(hours) + 5}:{minutes}"


def turn_over(bodies: Bodies) -> None:
    """Results of the round before the newest come again with home and away exchanged."""
    for row in bodies.rows[E0_FILE][-15:-5]:
        swap_columns(row, ("FTHG", "FTAG"), ("HTHG", "HTAG"))
        row["FTR"] = {"H": "A", "A": "H"}.get(row["FTR"], row["FTR"])


def misspell_in_history(bodies: Bodies) -> None:
    """The file of an earlier season comes for the first time; its second row names a team differently."""
    season = [row for number in range(18) for row in matches(2020, number)]
    season[1]["HomeTeam"] += " FC"
    bodies.rows["mmz4281/2021/E0.csv"] = season


def other_match(bodies: Bodies) -> None:
    """One bookmaker's prices are those of a match between other sides."""
    bodies.ahead[0].update({"BWH": "1.25", "BWD": "6.50", "BWA": "9.50"})


def result(home: int, away: int, **more: str) -> dict[str, str]:
    """A score that agrees with itself."""
    letter = "H" if home > away else "A" if home < away else "D"
    return {"FTHG": str(home), "FTAG": str(away), "FTR": letter, "HTHG": "0", "HTAG": "0", **more}


def fixture_of(source: str, changes: str = "", keys: str = ":keys") -> str:
    """SQL: another source's word on the next match, with some columns changed (`column => expression`, by comma)."""
    columns = {
        "fixture_key": "fixture_key", "source": f"'{source}'", "competition": "competition", "season": "season",
        "home_team": "home_team", "away_team": "away_team", "kickoff_on": "kickoff_on", "kickoff_at": "kickoff_at",
        "is_kickoff_time_known": "true", "status": "status", "payload_id": ":payload", "row_number": "1",
        "published_at": ":now", "observed_at": ":now", "known_at": ":now", "source_match_id": "'m1'",
    }  # fmt: skip
    for change in filter(None, changes.split(";")):
        name, _, value = change.partition("=>")
        columns[name.strip()] = value.strip()
    return (
        f"insert into landing.fixture_observation ({', '.join(columns)}) select {', '.join(columns.values())} "
        f"from landing.fixture_observation where fixture_key in ({keys}) and payload_id = "
        "(select max(payload_id) from landing.fixture_observation as last "
        "where last.fixture_key = fixture_observation.fixture_key)"
    )


def score_of(source: str, home: str, away: str, keys: str = ":keys") -> str:
    """SQL: another source's word on a score; `home` and `away` may be expressions of the known goals."""
    return (
        "insert into landing.score_observation (fixture_key, source, home_goals, away_goals, payload_id, row_number, "
        f"published_at, observed_at, known_at) select fixture_key, '{source}', {home}, {away}, :payload, 1, :now, "
        f":now, :now from (select unnest(array[{keys}]) as fixture_key) as wanted "
        "left join lateral (select home_goals, away_goals from landing.score_observation as score "
        "where score.fixture_key = wanted.fixture_key limit 1) as score on true"
    )


def quote_of(prices: str, keys: str = ":keys") -> str:
    """SQL: a bookmaker's 1X2 prices from another source, quoted now."""
    return (
        "insert into landing.odds_observation (fixture_key, source, bookmaker, market, is_closing, price_home, "
        "price_draw, price_away, payload_id, row_number, quoted_at, observed_at, known_at) "
        f"select unnest(array[{keys}]), 'the_odds_api', 'LB', '1x2', false, {prices}, :payload, 1, :now, :now, :now"
    )


PARSED = [
    Fault("an empty file", "payload_unreadable", "quarantine", raw(E0_FILE, lambda body: b"")),
    Fault("a file cut in its last row", "row_cut", "quarantine", raw(E0_FILE, lambda body: body[:-60])),
    Fault("a quote that is not closed", "row_unreadable", "quarantine",
          raw(E0_FILE, lambda body: body.replace(b",Leeds,", b',"Leeds,', 1))),
    Fault("a date of another format", "date_format", "quarantine", put("played", 0, Date="2022-11-05")),
    Fault("a year that is a typing error", "date_outside_season", "quarantine", put("played", 0, Date="05/11/2012")),
    Fault("a missing team", "team_missing", "quarantine", put("played", 1, AwayTeam="")),
    Fault("a team against itself", "team_against_itself", "quarantine",
          put("played", 1, HomeTeam="Leeds", AwayTeam="Leeds")),
    Fault("goals of a wrong type", "goals_invalid", "quarantine", put("played", 2, FTHG="two")),
    Fault("goals of one side only", "goals_invalid", "quarantine", put("played", 2, FTAG="")),
    Fault("a letter that contradicts the goals", "result_contradicts_goals", "quarantine",
          put("played", 0, FTHG="2", FTAG="0", FTR="A")),
    Fault("a row twice", "duplicate_row", "quarantine", add(E0_FILE)),
    Fault("a competition nobody knows", "unknown_competition", "quarantine", put("ahead", 0, Div="E9")),
    Fault("a row in the file of another competition", "wrong_competition", "quarantine", put("played", 0, Div="E1")),
    Fault("a misprinted header", "column_unknown", "warn",
          raw(E0_FILE, lambda body: body.replace(b",AvgCA", b",AvgAC", 1))),
    Fault("a time of another format", "time_format", "quarantine", put("played", 0, Time="3pm")),
    Fault("shots of a wrong type", "statistic_invalid", "quarantine", put("played", 0, HS="many")),
    Fault("a quote without its draw", "quote_incomplete", "quarantine", put("ahead", 0, BWD="")),
    Fault("a fractional price", "price_invalid", "quarantine", put("ahead", 0, BWH="6/4")),
    Fault("a price ten times too low", "overround_impossible", "quarantine", put("ahead", 0, WHH="1.02", WHD="1.05")),
    Fault("a handicap without its line", "line_missing", "quarantine", put("ahead", 0, AHh="")),
]  # fmt: skip

LANDED = [
    Fault("swapped teams", "teams_swapped", "quarantine",
          lambda bodies: swap_columns(bodies.last_round[1], ("HomeTeam", "AwayTeam"))),
    Fault("teams swapped by another source", "teams_swapped", "quarantine", facts=fixture_of(
        "football_data_org", "fixture_key=>gen_random_uuid();home_team=>away_team;away_team=>home_team")),
    Fault("a team twice on a day", "team_playing_twice", "quarantine",
          add(E0_FILE, HomeTeam="Arsenal", AwayTeam="Derby", Date="05/11/2022")),
    Fault("a duplicated round", "round_duplicated", "quarantine", repeat_round),
    Fault("a match that was played comes again the next day", "round_duplicated", "quarantine",
          lambda bodies: bodies.rows[FIXTURES].append(
              {name: value for name, value in bodies.last_round[0].items() if name in bodies.ahead[0]}
              | {"Date": "06/11/2022"})),
    Fault("a shifted time zone", "kickoff_zone_shifted", "quarantine", shift_zone),
    Fault("another source in another time zone", "kickoff_zone_shifted", "quarantine",
          facts=fixture_of("api_football", "kickoff_at=>kickoff_at + interval '2 hours'", ":all_ahead")),
    Fault("one kick-off three hours off", "kickoff_moved_hours", "warn", put("played", 1, Time="18:00")),
    Fault("a match at night", "kickoff_hour_unusual", "warn", put("ahead", 0, Time="03:10")),
    Fault("a pairing that was played comes again a month later", "pairing_repeated", "quarantine", facts=fixture_of(
        "football_data_org", "fixture_key=>gen_random_uuid();kickoff_on=>kickoff_on + 30;"
        "kickoff_at=>kickoff_at + interval '30 days';status=>'scheduled'")),
    Fault("a fixture years back", "kickoff_long_past", "quarantine",
          add(FIXTURES, HomeTeam="Arsenal", AwayTeam="Derby", Date="25/04/2016")),
    Fault("a fixture ten years ahead", "kickoff_far_ahead", "quarantine", put("ahead", 0, Date="12/11/2032")),
    Fault("a wrong season label", "season_label_wrong", "quarantine", facts=fixture_of(
        "football_data_org", "season=>'2021/22';kickoff_on=>kickoff_on - 5;fixture_key=>gen_random_uuid();"
        "home_team=>'Burnley';away_team=>'Reading'")),
    Fault("a team of nowhere in mid-season", "team_unknown_in_season", "quarantine",
          put("ahead", 0, HomeTeam="Arsenall")),
    Fault("a team of another competition", "team_unknown_in_season", "quarantine", put("ahead", 1, AwayTeam="Watford")),
    Fault("a misspelt team in a season that is loaded for the first time", "team_unknown_in_season", "quarantine",
          misspell_in_history),
    Fault("an impossible score", "score_impossible", "quarantine", put("played", 0, **result(21, 0))),
    Fault("half-time above full-time", "half_time_above_full_time", "quarantine",
          put("played", 0, **result(1, 0, HTHG="3"))),
    Fault("a result before kick-off", "score_before_kickoff", "quarantine",
          facts=score_of("the_odds_api", "2", "1", ":ahead")),
    Fault("a fixture ahead with a result in the file", "score_before_kickoff", "quarantine",
          lambda bodies: bodies.rows[E0_FILE].append(matches(2022, 14)[0])),
    Fault("doubled goals", "goals_doubled", "quarantine",
          every("played", lambda row: row.update(
              result(2 * int(row["FTHG"]) + 2, 2 * int(row["FTAG"]) + 2)))),
    Fault("every score the same placeholder", "scores_all_equal", "quarantine",
          every("played", lambda row: row.update(result(0, 0)))),
    Fault("results with home and away exchanged", "scores_swapped", "quarantine", turn_over),
    Fault("a correction that changes the winner weeks later", "winner_changed_late", "warn",
          lambda bodies: bodies.rows[E0_FILE][0].update(
              result(0, 3) if bodies.rows[E0_FILE][0]["FTR"] != "A" else result(3, 0))),
    Fault("two sources that differ on a score", "score_disputed", "warn",
          facts=score_of("football_data_org", "home_goals + 1", "away_goals")),
    Fault("a score of a postponed match", "score_contradicts_status", "warn",
          facts=fixture_of("football_data_org", "status=>'postponed'")),
    Fault("more shots on target than shots", "shots_on_target_above_shots", "warn", put("played", 0, HS="3", HST="9")),
    Fault("an overround below one", "overround_out_of_bounds", "quarantine",
          put("ahead", 0, VCH="3.10", VCD="3.10", VCA="3.00")),
    Fault("an exchange price far too good", "overround_out_of_bounds", "quarantine",
          facts=quote_of("3.4, 4.2, 3.6", ":ahead")),
    Fault("prices of another match", "price_of_another_match", "quarantine", other_match),
    Fault("home and away prices exchanged", "prices_swapped", "quarantine",
          lambda bodies: swap_columns(
              max(bodies.ahead, key=lambda row: abs(float(row["BWH"]) - float(row["BWA"]))), ("BWH", "BWA"))),
    Fault("the same prices for every match", "prices_repeated", "quarantine",
          every("ahead", lambda row: row.update({"VCH": "2.40", "VCD": "3.30", "VCA": "2.90"}))),
    Fault("a price taken after kick-off", "quote_after_kickoff", "quarantine",
          facts=quote_of("2.2, 3.3, 3.4")),
    Fault("an average above the best price", "average_above_maximum", "quarantine",
          put("ahead", 0, **{"Avg>2.5": "2.40", "Avg<2.5": "1.70"})),
    Fault("a handicap of twelve goals", "line_implausible", "quarantine", put("ahead", 0, AHh="-12.5")),
]  # fmt: skip


def cut_file(bodies: Bodies) -> None:
    """The season file begins anew with its second half."""
    del bodies.rows[E0_FILE][:20]


def leave_file_away(bodies: Bodies) -> None:
    """The season file of E0 is not offered; its matches are in the list all the same."""
    del bodies.rows[E0_FILE]


def nonsense(bodies: Bodies) -> None:
    """Most rows of the file have lost their date."""
    for row in bodies.rows[E0_FILE][10:]:
        row["Date"] = "soon"


def wrong_year(bodies: Bodies) -> None:
    """The whole new round is scored as if by another sport."""
    for row in bodies.last_round:
        row.update(result(21 + int(row["FTHG"]), 17))


BODIES = [
    Fault("a file that lost its first month", "rows_vanished", "warn", cut_file),
    Fault("a stale file", "file_stale", "warn", drop_results),
    Fault("a missing league", "competition_missing", "warn", leave_file_away),
    Fault("a round without results", "results_overdue", "block", drop_results),
    Fault("a round of nonsense", "competition_in_quarantine", "block", wrong_year),
    Fault("a file whose format changed", "landing_payload.anchor_rejected_share", "block", nonsense),
    Fault("a season file that cannot be read", "landing_payload.n_anchor_unreadable", "block",
          raw(E0_FILE, lambda body: b"<html>busy</html>")),
    Fault("most prices of a file broken", "landing_payload.rejected_price_share", "warn",
          every("played", lambda row: row.update(
              {name: "evens" for name in row if name[-1] == "D" or ">2.5" in name or name.endswith("AHH")}))),
    Fault("some rows of a file broken", "landing_payload.rejected_share", "warn",
          every("played", lambda row: row.update(Date="soon"))),
]  # fmt: skip
