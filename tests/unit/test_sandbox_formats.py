"""The simulated world in four wire formats: the providers' shapes, one truth, nothing of the future."""

from __future__ import annotations

import difflib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox_world import ALL_MARKETS, FRIDAY, HOUR, MINUTE, SPORT, World, event_of
from touchline.sandbox import names
from touchline.sandbox.market import MARGINS
from touchline.sources.configuration import read_configuration
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API, UK_FILES


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def paths(value: Any, place: str = "") -> set[str]:
    """Names of all fields, with their places."""
    if isinstance(value, dict):
        return set().union(
            *({f"{place}.{key}"} | paths(item, f"{place}.{key}") for key, item in value.items())
        )
    if isinstance(value, list):
        return set().union(*(paths(item, f"{place}[]") for item in value), set())
    return set()


def captured(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / "api_samples" / name).read_text())


# Shapes


def test_football_data_org_has_the_fields_and_order_of_captured_replies(world: World, shared_data: Path):
    ours = world.tell(FRIDAY, FOOTBALL_DATA_ORG, "competitions/XPL/matches", season="2025")
    theirs = captured(shared_data, "football-data-org_v4_competitions_PL_matches_2025_scheduled.json")
    with_referees = captured(shared_data, "football-data-org_v4_teams_65_matches_2023.json")
    assert paths(ours["matches"]) == paths(theirs["matches"]) | paths(with_referees["matches"])
    assert list(ours) == list(theirs)
    assert list(ours["matches"][0]) == list(theirs["matches"][0])
    assert ours["resultSet"].keys() == theirs["resultSet"].keys()
    assert ours["filters"] == {"season": "2025"}


def test_the_odds_api_has_the_fields_of_a_captured_reply(world: World, shared_data: Path):
    theirs = captured(shared_data, "the-odds-api_v4_soccer_epl_odds_h2h_2024-08-19.json")
    assert paths(world.odds(FRIDAY, markets="h2h")) == paths(theirs)


def test_api_football_has_the_fields_of_captured_replies(world: World, shared_data: Path):
    ours = world.tell(FRIDAY, API_FOOTBALL, "fixtures", league="9001", season="2025")
    theirs = captured(shared_data, "api-football_v3_fixtures_2022-08-29.json")
    extras = (".response[].events", ".response[].statistics", ".parameters.from", ".parameters.to")
    assert paths(ours) == {place for place in paths(theirs) if not place.startswith(extras)}
    assert ours["errors"] == theirs["errors"] == []


def test_a_missing_key_is_refused_in_each_providers_words(world: World):
    org = world.ask(FRIDAY, FOOTBALL_DATA_ORG, "competitions/XPL/matches", has_key=False)
    assert org.status == 403
    assert json.loads(org.body)["errorCode"] == 403
    odds = world.ask(FRIDAY, THE_ODDS_API, f"sports/{SPORT}/odds", has_key=False, **ALL_MARKETS)
    assert odds.status == 401
    assert json.loads(odds.body)["error_code"] == "MISSING_KEY"
    football = world.ask(FRIDAY, API_FOOTBALL, "fixtures", has_key=False, league="9001", season="2025")
    assert football.status == 200
    assert "token" in json.loads(football.body)["errors"]


@pytest.mark.parametrize(
    ("source", "path", "query", "status", "said"),
    [
        (FOOTBALL_DATA_ORG, "competitions/PL/matches", {}, 404, "does not exist"),
        (FOOTBALL_DATA_ORG, "competitions/XPL/matches", {"season": "2026"}, 404, "does not exist"),
        (FOOTBALL_DATA_ORG, "competitions/XPL/matches", {"season": "0000"}, 404, "does not exist"),
        (FOOTBALL_DATA_ORG, "competitions/XPL/matches", {"season": "now"}, 400, "invalid"),
        (THE_ODDS_API, "sports/soccer_epl/odds", ALL_MARKETS, 404, "UNKNOWN_SPORT"),
        (THE_ODDS_API, f"sports/{SPORT}/odds", {}, 422, "MISSING_REGION"),
        (THE_ODDS_API, f"sports/{SPORT}/odds", {"regions": "moon"}, 422, "INVALID_REGION"),
        (THE_ODDS_API, f"sports/{SPORT}/odds", {"regions": "uk", "markets": "x"}, 422, "INVALID_MARKET"),
        (THE_ODDS_API, f"sports/{SPORT}/scores", {"daysFrom": "4"}, 422, "INVALID_SCORES_DAYS_FROM"),
        (THE_ODDS_API, f"historical/sports/{SPORT}/odds", ALL_MARKETS, 422, "INVALID_HISTORICAL_TIMESTAMP"),
        (API_FOOTBALL, "fixtures", {"league": "9001"}, 200, "required"),
        (API_FOOTBALL, "odds", {"league": "9001", "season": "2025", "x": "1"}, 200, "do not exist"),
    ],
)
def test_a_bad_question_is_refused_as_documented(
    world: World, source: str, path: str, query: dict[str, str], status: int, said: str
):
    answer = world.ask(FRIDAY, source, path, **query)
    assert answer.status == status
    assert said in answer.body.decode()


# One truth


def test_the_same_question_at_the_same_moment_has_the_same_answer_whatever_was_asked_before(world: World):
    fresh = World()
    # The other way round, and after other moments.
    fresh.odds(FRIDAY + timedelta(days=30))
    assert fresh.pages(FRIDAY) == world.pages(FRIDAY)
    assert fresh.odds(FRIDAY) == world.odds(FRIDAY)
    assert fresh.org(FRIDAY) == world.org(FRIDAY)


def test_all_providers_tell_the_results_of_the_season_file(world: World):
    late = datetime(2026, 6, 1, tzinfo=UTC)
    season = world.world.season(2025)
    assert season is not None
    rows = season.filter(pl.col("Div") == "X1").iter_rows(named=True)
    truth = {(row["HomeTeam"], row["AwayTeam"]): (row["FTHG"], row["FTAG"]) for row in rows}
    org = {
        (match["homeTeam"]["shortName"], match["awayTeam"]["shortName"]): tuple(
            match["score"]["fullTime"].values()
        )
        for match in world.org(late)
    }
    assert org == truth
    football = {
        (item["teams"]["home"]["name"], item["teams"]["away"]["name"]): tuple(item["goals"].values())
        for item in world.fixtures(late)
    }
    assert football == {
        (names.api_football(home), names.api_football(away)): goals for (home, away), goals in truth.items()
    }
    match = world.next_match
    home, away = names.the_odds_api(match["HomeTeam"]), names.the_odds_api(match["AwayTeam"])
    told = event_of(world.scores(match["kickoff_at"] + 3 * HOUR, daysFrom="1"), match)
    assert {score["name"]: score["score"] for score in told["scores"]} == {
        home: str(match["FTHG"]),
        away: str(match["FTAG"]),
    }


def test_ids_stay_the_same_over_time_and_endpoints(world: World):
    later = FRIDAY + timedelta(days=2)
    assert [item["id"] for item in world.org(FRIDAY)] == [item["id"] for item in world.org(later)]
    assert len({item["fixture"]["id"] for item in world.fixtures(FRIDAY)}) == 380
    odds, events = world.odds(FRIDAY), world.tell(FRIDAY, THE_ODDS_API, f"sports/{SPORT}/events")
    ids = [event["id"] for event in odds]
    assert ids == [event["id"] for event in events]
    assert set(ids) <= {event["id"] for event in world.scores(FRIDAY)}
    assert all(len(item) == 32 for item in ids)
    assert {item["id"] for item in world.odds(later)} & set(ids)


def test_bookmakers_are_the_worlds_by_the_configured_names(world: World):
    configuration = read_configuration()
    keys = {book["key"] for event in world.odds(FRIDAY) for book in event["bookmakers"]}
    named = {
        book["name"]
        for page in world.pages(FRIDAY)
        for item in page["response"]
        for book in item["bookmakers"]
    }
    assert {configuration.bookmaker(THE_ODDS_API, key) for key in keys} == set(MARGINS)
    assert {configuration.bookmaker(API_FOOTBALL, name) for name in named} == set(MARGINS)


def without_affixes(name: str) -> str:
    words = {"Utd": "United", "Ath": "Athletic"}
    return " ".join(sorted(words.get(word, word) for word in name.split() if word not in ("FC", "AFC")))


@pytest.mark.parametrize("speak", [names.football_data_org, names.the_odds_api, names.api_football])
def test_every_provider_has_names_of_its_own_that_are_still_recognised(world: World, speak: Any):
    season = world.world.season(2025)
    assert season is not None
    differing = 0
    for competition in ("X1", "X2", "X3", "Y1", "Y2"):
        clubs = season.filter(pl.col("Div") == competition)["HomeTeam"].unique().to_list()
        assert len({speak(club) for club in clubs}) == len(clubs)
        for club in clubs:
            differing += speak(club) != club
            likeness = {
                other: difflib.SequenceMatcher(
                    None, without_affixes(speak(club)), without_affixes(other)
                ).ratio()
                for other in clubs
            }
            assert max(likeness, key=likeness.__getitem__) == club
    assert differing >= 10


# Time


def test_a_match_of_football_data_org_goes_from_timed_to_finished_by_the_clock(world: World):
    match = world.next_match
    kickoff = match["kickoff_at"]

    def at(since: timedelta) -> dict[str, Any]:
        now = kickoff + since
        clubs = (match["HomeTeam"], match["AwayTeam"])
        found = next(
            item
            for item in world.org(now)
            if (item["homeTeam"]["shortName"], item["awayTeam"]["shortName"]) == clubs
        )
        assert datetime.fromisoformat(found["lastUpdated"]) <= now
        return found

    before, first_half, last_minute, after = at(-MINUTE), at(MINUTE), at(2 * HOUR - MINUTE), at(2 * HOUR)
    states = [item["status"] for item in (before, first_half, last_minute, after)]
    assert states == ["TIMED", "IN_PLAY", "IN_PLAY", "FINISHED"]
    assert before["score"]["fullTime"] == first_half["score"]["fullTime"] == {"home": None, "away": None}
    assert last_minute["score"]["fullTime"] == {"home": match["HTHG"], "away": match["HTAG"]}
    assert last_minute["score"]["winner"] is None
    assert after["score"]["fullTime"] == {"home": match["FTHG"], "away": match["FTAG"]}
    assert not before["referees"]
    assert after["referees"]


def test_no_score_of_any_provider_is_final_before_its_time(world: World):
    for hours in (0, 20, 24, 47, 70):
        now = FRIDAY + hours * HOUR
        for item in world.org(now):
            is_over = datetime.fromisoformat(item["utcDate"]) + 2 * HOUR <= now
            assert (item["status"] == "FINISHED") == (item["score"]["winner"] is not None) == is_over
        for item in world.fixtures(now):
            is_over = datetime.fromisoformat(item["fixture"]["date"]) + 2 * HOUR <= now
            is_told = item["score"]["fulltime"]["home"] is not None
            assert (item["fixture"]["status"]["short"] == "FT") == is_told == is_over
        for event in world.scores(now, daysFrom="3"):
            kickoff = datetime.fromisoformat(event["commence_time"])
            assert event["completed"] == (kickoff + 2 * HOUR + 15 * MINUTE <= now)
            assert (event["scores"] is None) == (kickoff > now)


def test_scores_reach_back_as_many_days_as_asked(world: World):
    now = FRIDAY + timedelta(days=4)
    n_completed = {
        days: sum(event["completed"] for event in world.scores(now, **query))
        for days, query in ((0, {}), (1, {"daysFrom": "1"}), (3, {"daysFrom": "3"}))
    }
    assert n_completed[0] == 0 < n_completed[3]
    assert n_completed[1] < n_completed[3]


def test_pages_of_api_football_hold_every_match_ahead_once(world: World):
    pages = world.pages(FRIDAY)
    assert len(pages) > 1
    assert [page["paging"] for page in pages] == [
        {"current": n + 1, "total": len(pages)} for n in range(len(pages))
    ]
    assert all(page["results"] == len(page["response"]) <= 10 for page in pages)
    told = [item["fixture"]["id"] for page in pages for item in page["response"]]
    ahead = [
        item["fixture"]["id"]
        for item in world.fixtures(FRIDAY)
        if FRIDAY < datetime.fromisoformat(item["fixture"]["date"]) <= FRIDAY + timedelta(days=8)
    ]
    assert told == ahead


def test_files_and_formats_agree_on_kickoff(world: World):
    body = world.ask(FRIDAY, UK_FILES, "mmz4281/2526/X1.csv").body.decode("utf-8-sig")
    in_file = {tuple(line.split(",")[3:5]) for line in body.splitlines()[1:]}
    published = {
        (item["homeTeam"]["shortName"], item["awayTeam"]["shortName"])
        for item in world.org(FRIDAY, dateTo="2026-03-12", status="FINISHED")
    }
    assert in_file == published
