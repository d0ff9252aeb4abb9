"""football-data.org v4: every match of a reply is parsed or rejected by name, every refusal is understood."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripted_provider import KEY, OpenGovernor, ScriptedReply, client_of, scripted_provider
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.sources.configuration import read_configuration
from touchline.sources.football_data_org import STATUSES, FootballDataOrg, FootballDataOrgDialect
from touchline.sources.http import Allowance, RawReply
from touchline.sources.source import NoReply, Observations, Rejection, Reply, Request

CONFIGURATION = read_configuration().sources["football_data_org"]
REQUEST = Request("football_data_org", "competitions/PL/matches?season=2025")
NOTHING = {"home": None, "away": None}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def source(address: str = "http://127.0.0.1:9") -> FootballDataOrg:
    client, _ = client_of(address, "football_data_org", FootballDataOrgDialect())
    return FootballDataOrg(CONFIGURATION, client)


def match(**changes: Any) -> dict[str, Any]:
    """A match that has not begun, as the provider writes it."""
    return {
        "competition": {"id": 2021, "name": "Premier League", "code": "PL"},
        "season": {"id": 2403, "startDate": "2025-08-15", "endDate": "2026-05-24"},
        "id": 538050,
        "utcDate": "2026-02-23T20:00:00Z",
        "status": "TIMED",
        "lastUpdated": "2026-02-23T00:20:57Z",
        "homeTeam": {"id": 62, "name": "Everton FC"},
        "awayTeam": {"id": 66, "name": "Manchester United FC"},
        "score": {"winner": None, "duration": "REGULAR", "fullTime": NOTHING, "halfTime": NOTHING},
        "odds": {"msg": "Activate Odds-Package in User-Panel to retrieve odds."},
        "referees": [],
        **changes,
    }


def score(duration: str = "REGULAR", **parts: tuple[int, int]) -> dict[str, Any]:
    sides = {name: {"home": goals[0], "away": goals[1]} for name, goals in parts.items()}
    return {"winner": None, "duration": duration, "fullTime": NOTHING, "halfTime": NOTHING, **sides}


def parse(*matches: Any) -> Observations:
    return source().parse(REQUEST, json.dumps({"matches": matches}).encode())


def only_rejection(found: Observations) -> Rejection:
    (rejection,) = found.rejections
    return rejection


def test_one_request_a_competition_serves_fixtures_and_scores():
    as_of = datetime(2026, 3, 1, tzinfo=UTC)
    wanted = [request.endpoint for request in source().requests(("fixtures", "scores"), as_of)]
    assert len(wanted) == len(set(wanted)) == len(CONFIGURATION.competitions)
    assert "competitions/PL/matches?season=2025" in wanted
    assert "competitions/BSA/matches?season=2026" in wanted
    assert wanted == [request.endpoint for request in source().requests(("scores",), as_of)]
    assert source().requests(("odds",), as_of) == []


def test_backfill_asks_for_each_season_the_days_touch_oldest_first():
    wanted = [
        request.endpoint
        for request in source().backfill(("scores",), date(2024, 5, 1), date(2025, 7, 31))
        if "/PL/" in request.endpoint or "/BSA/" in request.endpoint
    ]
    assert wanted == [
        "competitions/PL/matches?season=2023",
        "competitions/PL/matches?season=2024",
        "competitions/BSA/matches?season=2024",
        "competitions/PL/matches?season=2025",
        "competitions/BSA/matches?season=2025",
    ]


def test_a_match_becomes_a_fixture_with_the_providers_id():
    found = parse(match())
    assert (found.n_rows, found.n_parsed, list(found.rejections)) == (1, 1, [])
    assert found.fixtures.row(0, named=True) == {
        "source_match_id": "538050", "competition": "E0", "season": "2025/26", "home_team": "Everton FC",
        "away_team": "Manchester United FC", "kickoff_on": date(2026, 2, 23),
        "kickoff_at": datetime(2026, 2, 23, 20, tzinfo=UTC), "is_kickoff_time_known": True, "status": "scheduled",
        "stage": None, "row_number": 1, "published_at": datetime(2026, 2, 23, 0, 20, 57, tzinfo=UTC),
    }  # fmt: skip
    assert found.scores.is_empty()
    assert found.quotes.is_empty()


@pytest.mark.parametrize(("theirs", "ours"), STATUSES.items())
def test_every_status_of_the_provider_has_one_of_ours(theirs: str, ours: str):
    found = parse(match(status=theirs, score=score(fullTime=(1, 0))))
    assert found.fixtures["status"].item() == ours
    assert found.fixtures["is_kickoff_time_known"].item() == (theirs != "SCHEDULED")
    # A running score is no result.
    assert found.scores.height == (1 if theirs in ("FINISHED", "AWARDED") else 0)


@pytest.mark.parametrize(
    ("said", "matchday", "stage"),
    [
        ("REGULAR_SEASON", 27, "league"), ("CLAUSURA", 3, "league"), ("PLAYOFFS", None, "play_off"),
        ("SEMI_FINALS", None, "play_off"), ("RELEGATION", None, "play_off"), ("RELEGATION", 2, "league"),
        ("CHAMPIONSHIP", 34, "league"), (None, 3, None),
    ],
)  # fmt: skip
def test_the_stage_is_the_league_or_a_play_off(said: str | None, matchday: int | None, stage: str | None):
    found = parse(match(stage=said, matchday=matchday))
    assert (found.fixtures["stage"].item(), list(found.rejections)) == (stage, [])


def test_an_unknown_stage_is_named_and_the_match_stands():
    found = parse(match(stage="LUCKY_LOSERS"))
    assert found.fixtures["stage"].item() is None
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.rule, rejection.value) == ("field", "unknown_stage", "LUCKY_LOSERS")


def test_a_row_refused_for_its_status_says_which_fixture_it_is_about():
    about = only_rejection(parse(match(status="PLAYING"))).fixture
    assert about is not None
    assert vars(about) == parse(match()).fixtures.select(*vars(about)).row(0, named=True)


def test_an_unknown_status_is_rejected_by_name():
    rejection = only_rejection(parse(match(status="PLAYING")))
    assert (rejection.scope, rejection.rule, rejection.field) == ("row", "unknown_status", "status")
    assert rejection.value == "PLAYING"


def test_a_finished_match_has_its_scores_and_referee():
    people = [{"name": "A Helper", "type": "ASSISTANT"}, {"name": "Anthony Taylor", "type": "REFEREE"}]
    found = parse(match(status="FINISHED", score=score(fullTime=(3, 1), halfTime=(1, 1)), referees=people))
    row = found.scores.row(0, named=True)
    assert (row["home_goals"], row["away_goals"], row["home_goals_half_time"]) == (3, 1, 1)
    assert (row["home_goals_extra_time"], row["home_penalties"]) == (None, None)
    assert row["referee"] == "Anthony Taylor"
    assert row["published_at"] == datetime(2026, 2, 23, 0, 20, 57, tzinfo=UTC)


def test_after_extra_time_the_goals_are_those_of_ninety_minutes():
    result = score("EXTRA_TIME", fullTime=(3, 1), halfTime=(0, 1), regularTime=(1, 1), extraTime=(2, 0))
    row = parse(match(status="FINISHED", score=result)).scores.row(0, named=True)
    assert (row["home_goals"], row["away_goals"]) == (1, 1)
    assert (row["home_goals_extra_time"], row["away_goals_extra_time"]) == (2, 0)
    assert row["home_penalties"] is None


def test_a_shoot_out_is_kept_apart():
    result = score(
        "PENALTY_SHOOTOUT", fullTime=(6, 5), halfTime=(0, 0), regularTime=(1, 1), extraTime=(1, 1),
        penalties=(4, 3),
    )  # fmt: skip
    row = parse(match(status="FINISHED", score=result)).scores.row(0, named=True)
    assert (row["home_goals"], row["home_goals_extra_time"], row["home_penalties"]) == (1, 1, 4)
    assert row["away_penalties"] == 3


def test_extra_time_without_the_score_of_ninety_minutes_gives_no_score():
    found = parse(match(status="FINISHED", score=score("EXTRA_TIME", fullTime=(3, 1))))
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.field) == ("field", "score.regularTime")
    assert found.fixtures["status"].item() == "played"
    assert found.scores.is_empty()


def test_an_awarded_match_needs_no_score():
    assert parse(match(status="AWARDED")).rejections == []
    assert parse(match(status="AWARDED", score=score(fullTime=(3, 0)))).scores["home_goals"].item() == 3


def test_a_postponed_match_keeps_its_id_when_it_moves():
    first = parse(match(status="POSTPONED")).fixtures.row(0, named=True)
    moved = parse(match(utcDate="2026-04-08T18:45:00Z")).fixtures.row(0, named=True)
    assert (first["status"], moved["status"]) == ("postponed", "scheduled")
    assert first["source_match_id"] == moved["source_match_id"]
    assert moved["kickoff_at"] == datetime(2026, 4, 8, 18, 45, tzinfo=UTC)
    assert moved["season"] == "2025/26"


def test_the_day_of_a_late_kickoff_is_the_british_one():
    row = parse(match(utcDate="2026-05-10T23:30:00Z")).fixtures.row(0, named=True)
    assert row["kickoff_on"] == date(2026, 5, 11)


def test_seasons_of_calendar_years_are_named_by_the_year():
    brazil = {"competition": {"code": "BSA"}, "season": {"startDate": "2020-08-09", "endDate": "2021-02-26"}}
    assert parse(match(**brazil, utcDate="2021-02-20T19:00:00Z")).fixtures["season"].item() == "2020"


def test_prices_of_the_paid_package_are_a_quote():
    found = parse(match(odds={"homeWin": 2.5, "draw": 3.3, "awayWin": 2.9}))
    quote = found.quotes.row(0, named=True)
    assert (quote["bookmaker"], quote["market"], quote["line"]) == ("football_data_org", "1x2", 0.0)
    assert quote["price_draw"] == pytest.approx(3.3)
    assert quote["quoted_at"] == datetime(2026, 2, 23, 0, 20, 57, tzinfo=UTC)


@pytest.mark.parametrize(
    ("odds", "rule"),
    [
        ({"homeWin": 2.5, "draw": None, "awayWin": 2.9}, "quote_incomplete"),
        ({"homeWin": 2.5, "draw": 1.0, "awayWin": 2.9}, "price_invalid"),
        ({"homeWin": 2.5, "draw": float("nan"), "awayWin": 2.9}, "price_invalid"),
        ({"homeWin": 1.2, "draw": 1.2, "awayWin": 2.9}, "overround_impossible"),
    ],
)
def test_impossible_prices_are_set_aside_and_the_match_is_kept(odds: dict[str, Any], rule: str):
    found = parse(match(odds=odds))
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.rule) == ("price", rule)
    assert found.n_parsed == 1
    assert found.quotes.is_empty()


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"id": None}, "id", "field_missing"),
        ({"id": True}, "id", "field_invalid"),
        ({"id": 10**400}, "id", "field_invalid"),
        ({"utcDate": "next week"}, "utcDate", "field_invalid"),
        ({"utcDate": "2026-02-23T20:00:00"}, "utcDate", "field_invalid"),
        ({"utcDate": "0001-01-01T00:00:00Z"}, "utcDate", "field_invalid"),
        ({"utcDate": ["2026"]}, "utcDate", "field_invalid"),
        ({"homeTeam": {"name": None}}, "homeTeam.name", "field_missing"),
        ({"awayTeam": "Everton"}, "awayTeam.name", "field_missing"),
        ({"awayTeam": {"name": "Everton FC"}}, "awayTeam.name", "team_against_itself"),
        ({"homeTeam": {"name": "Ever\ud800ton"}}, "homeTeam.name", "field_invalid"),
        ({"homeTeam": {"name": "Ever\u0000ton"}}, "homeTeam.name", "field_invalid"),
        ({"competition": {"code": "CL"}}, "competition.code", "unknown_competition"),
        ({"competition": None}, "competition.code", "unknown_competition"),
    ],
)
def test_a_match_that_cannot_be_used_is_rejected_naming_the_field(
    changes: dict[str, Any], field: str, rule: str
):
    found = parse(match(id=1), match(**changes))
    assert (found.n_rows, found.n_parsed) == (2, 1)
    rejection = only_rejection(found)
    assert (rejection.row_number, rejection.scope) == (2, "row")
    assert (rejection.field, rejection.rule) == (field, rule)
    for text in (rejection.value, rejection.row_text):
        assert text is None or text.isascii()


@pytest.mark.parametrize("item", [None, "match", 7, [], True, float("inf")])
def test_what_is_no_match_object_is_a_rejected_row(item: object):
    found = parse(match(), item)
    assert (found.n_rows, found.n_parsed, only_rejection(found).row_number) == (2, 1, 2)


def test_of_two_rows_with_one_id_the_first_stands():
    found = parse(match(), match(utcDate="2026-03-01T20:00:00Z"))
    assert only_rejection(found).rule == "duplicate_row"
    assert found.fixtures["kickoff_on"].item() == date(2026, 2, 23)


def test_a_damaged_detail_is_named_and_the_match_stands():
    found = parse(
        match(status="FINISHED", lastUpdated="?", season=None, score=score(fullTime=(1, 0), halfTime=(-1, 0)))
    )
    assert found.n_parsed == 1
    assert [(item.scope, item.field) for item in found.rejections] == [
        ("field", "lastUpdated"), ("field", "season.startDate"), ("field", "score.halfTime.home"),
    ]  # fmt: skip
    assert found.fixtures["season"].item() is None
    assert found.fixtures["published_at"].item() is None
    assert found.scores["home_goals_half_time"].item() is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<html><body>502</body></html>", "web page"),
        (b'{"matches": [', "cut short"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "matches"),
        (b"NaN", "matches"),
        (b'{"matches": {}}', "matches"),
        (b'{"message": "busy", "errorCode": 429}', "matches"),
    ],
)
def test_a_body_that_is_no_list_of_matches_is_rejected_with_its_place(body: bytes, reason: str):
    with pytest.raises(PayloadRejected, match=reason) as caught:
        source().parse(REQUEST, body)
    assert REQUEST.endpoint in str(caught.value)


def test_deeply_nested_fields_do_no_harm():
    deep = json.dumps(match(id=1)).replace('"Everton FC"', "[" * 900 + "]" * 900)
    found = source().parse(REQUEST, f'{{"matches": [{deep}, {json.dumps(match())}]}}'.encode())
    assert (found.n_rows, found.n_parsed, only_rejection(found).field) == (2, 1, "homeTeam.name")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(item=ANY_JSON, field=st.sampled_from(sorted(match())), value=ANY_JSON)
def test_whatever_a_body_holds_parsed_and_rejected_rows_are_all_rows(item: object, field: str, value: object):
    found = parse(match(), item, {**match(), field: value}, match(id=2, status="FINISHED"))
    rejected = {rejection.row_number for rejection in found.rejections if rejection.scope == "row"}
    assert found.n_rows == 4
    assert found.n_parsed + len(rejected) == 4
    assert all(rejection.field for rejection in found.rejections)
    assert "538050" in found.fixtures["source_match_id"]


def test_the_captured_season_parses_fully(shared_data: Path):
    body = (
        shared_data / "api_samples" / "football-data-org_v4_competitions_PL_matches_2025_scheduled.json"
    ).read_bytes()
    found = source().parse(REQUEST, body)
    assert (found.n_rows, found.n_parsed, list(found.rejections)) == (109, 109, [])
    assert set(found.fixtures["status"]) == {"scheduled"}


def test_the_captured_matches_of_a_team_are_rejected_only_for_their_competition(shared_data: Path):
    body = (shared_data / "api_samples" / "football-data-org_v4_teams_65_matches_2023.json").read_bytes()
    found = source().parse(Request("football_data_org", "teams/65/matches?season=2023"), body)
    assert found.n_parsed == 38
    assert found.n_parsed + len(found.rejections) == found.n_rows
    reasons = {(item.rule, item.field, item.value) for item in found.rejections}
    assert reasons == {("unknown_competition", "competition.code", "CL")}
    assert found.scores.height > 0


def test_the_captured_matches_of_a_day_parse_fully(shared_data: Path):
    body = (shared_data / "api_samples" / "football-data-org_v4_matches_today_2023.json").read_bytes()
    found = source().parse(Request("football_data_org", "matches"), body)
    assert (found.n_rows, found.n_parsed) == (18, 18)
    assert set(found.fixtures["competition"]) == {"I1", "E1", "P1"}


def test_captured_standings_are_rejected_naming_the_missing_field(shared_data: Path):
    body = (
        shared_data / "api_samples" / "football-data-org_v4_competitions_PL_standings_2025.json"
    ).read_bytes()
    with pytest.raises(PayloadRejected, match="field matches is missing"):
        source().parse(REQUEST, body)


def judge(status: int, body: object, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FootballDataOrgDialect().judge(RawReply(status, named, json.dumps(body).encode()))


def test_too_many_requests_are_asked_again_after_the_seconds_the_message_names():
    said = {"message": "You reached your request limit. Wait 48 seconds.", "errorCode": 429}
    verdict = judge(429, said)
    assert (verdict.kind, verdict.wait_seconds) == ("again", 48.0)
    assert judge(429, {"error": "slow down"}, x_requestcounter_reset="31").wait_seconds == 31.0
    assert judge(429, []).wait_seconds == 60.0


def test_what_the_plan_does_not_include_is_refused_with_advice():
    said = {
        "message": "The resource you are looking for is restricted and apparently not within your permissions.",
        "errorCode": 403,
    }
    verdict = judge(403, said)
    assert verdict.kind == "refused"
    assert "config/sources.yaml" in verdict.reason
    assert "restricted" in verdict.reason


@pytest.mark.parametrize("form", ["message", "error"])
def test_a_wrong_token_is_refused_naming_the_setting(form: str):
    verdict = judge(400, {form: "Your API token is invalid."})
    assert verdict.kind == "refused"
    assert "TOUCHLINE_FOOTBALL_DATA_ORG_KEY" in verdict.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "answered"),
        (404, "not_offered"),
        (500, "again"),
        (503, "again"),
        (400, "refused"),
        (410, "refused"),
    ],
)
def test_other_statuses_mean_what_they_say(status: int, kind: str):
    assert judge(status, {"message": "The parameter season is wrong."}).kind == kind


def test_the_calls_left_are_read_from_the_headers():
    headers = {"x-requests-available-minute": "7", "x-requestcounter-reset": "42"}
    allowance = FootballDataOrgDialect().allowance(RawReply(200, headers, b""))
    assert allowance == Allowance(remaining_calls=7, window_ends_in_seconds=42.0)
    assert (
        FootballDataOrgDialect().allowance(RawReply(200, {"x-requests-available-minute": "?"}, b""))
        == Allowance()
    )


def test_the_client_waits_as_asked_and_then_has_the_body():
    body = json.dumps({"matches": [match()]}).encode()
    busy = ScriptedReply(
        429, b'{"message":"You reached your request limit. Wait 48 seconds.","errorCode":429}'
    )
    with scripted_provider(
        [busy, ScriptedReply(200, body, {"X-Requests-Available-Minute": "9"})]
    ) as provider:
        governor = OpenGovernor()
        client, pauses = client_of(provider.address, "football_data_org", FootballDataOrgDialect(), governor)
        found = FootballDataOrg(CONFIGURATION, client).fetch(REQUEST, datetime(2026, 3, 1, tzinfo=UTC), {})
    assert isinstance(found, Reply)
    assert found.body == body
    assert [int(pause) for pause in pauses] == [48]
    assert governor.heard[-1][0].remaining_calls == 9
    assert provider.headers[0]["x-auth-token"] == KEY


def test_the_key_appears_nowhere_but_in_the_header():
    echo = json.dumps({"message": f"Your API token {KEY} is invalid.", "errorCode": 400}).encode()
    with scripted_provider([ScriptedReply(400, echo), ScriptedReply(404, b"{}")]) as provider:
        client, _ = client_of(provider.address, "football_data_org", FootballDataOrgDialect())
        one = FootballDataOrg(CONFIGURATION, client)
        as_of = datetime(2026, 3, 1, tzinfo=UTC)
        with pytest.raises(SourceUnavailable) as refused:
            one.fetch(REQUEST, as_of, {})
        assert one.fetch(REQUEST, as_of, {}) == NoReply("not_offered")
    texts = [str(refused.value), repr(refused.value), repr(client), repr(one), *provider.paths]
    texts += [repr(request) for request in one.requests(("fixtures", "scores"), as_of)]
    assert all(KEY not in text for text in texts)
    assert "TOUCHLINE_FOOTBALL_DATA_ORG_KEY" in str(refused.value)
