"""API-Football v3: statuses, ninety-minute scores, prices page by page, and errors that come with status 200."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from scripted_provider import KEY, OpenGovernor, ScriptedReply, client_of, scripted_provider
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.sources.api_football import MOST_PAGES, STATUSES, ApiFootball, ApiFootballDialect
from touchline.sources.configuration import read_configuration
from touchline.sources.http import RawReply, Verdict
from touchline.sources.source import Observations, Rejection, Reply, Request

CONFIGURATION = read_configuration().sources["api_football"]
FIXTURES = Request("api_football", "fixtures?league=39&season=2022")
ODDS = Request("api_football", "odds?league=39&page=1&season=2022")
AS_OF = datetime(2022, 9, 1, tzinfo=UTC)
NOTHING: dict[str, object] = {"home": None, "away": None}


def source(address: str = "http://127.0.0.1:9") -> ApiFootball:
    client, _ = client_of(address, "api_football", ApiFootballDialect())
    return ApiFootball(CONFIGURATION, client)


def envelope(*items: object, total: object = 1) -> bytes:
    body = {"get": "fixtures", "errors": [], "paging": {"current": 1, "total": total}, "response": items}
    return json.dumps(body).encode()


def score(**parts: tuple[object, object]) -> dict[str, object]:
    sides = {name: {"home": goals[0], "away": goals[1]} for name, goals in parts.items()}
    return {**dict.fromkeys(("halftime", "fulltime", "extratime", "penalty"), NOTHING), **sides}


def fixture(
    status: object = "NS",
    number: object = 867986,
    day: object = "2022-08-31T18:30:00+00:00",
    **changes: object,
) -> dict[str, object]:
    return {
        "fixture": {"id": number, "referee": None, "date": day, "status": {"short": status}},
        "league": {"id": 39, "season": 2022},
        "teams": {"home": {"id": 35, "name": "Bournemouth"}, "away": {"id": 39, "name": "Wolves"}},
        "goals": NOTHING,
        "score": score(),
        **changes,
    }


def bet(name: str, *values: tuple[object, object]) -> dict[str, object]:
    return {"id": 1, "name": name, "values": [{"value": value, "odd": odd} for value, odd in values]}


WINNER = bet("Match Winner", ("Home", "2.50"), ("Draw", "3.30"), ("Away", "2.90"))


def priced(*bets: object, **changes: object) -> dict[str, object]:
    """One item of /odds with one bookmaker."""
    return {
        "league": {"id": 39, "season": 2022},
        "fixture": {"id": 867986, "timezone": "UTC", "date": "2022-08-31T18:30:00+00:00"},
        "update": "2022-08-30T09:49:32+00:00",
        "bookmakers": [{"id": 8, "name": "Bet365", "bets": bets}],
        **changes,
    }


def parse(*items: object, request: Request = FIXTURES) -> Observations:
    return source().parse(request, envelope(*items))


def only_rejection(found: Observations) -> Rejection:
    (rejection,) = found.rejections
    return rejection


def test_fixtures_and_scores_are_one_request_and_prices_begin_at_page_one():
    wanted = [item.endpoint for item in source().requests(("fixtures", "odds", "scores"), AS_OF)]
    assert len(wanted) == len(set(wanted)) == 2 * len(CONFIGURATION.competitions)
    assert {FIXTURES.endpoint, ODDS.endpoint} <= set(wanted)
    assert [item.endpoint for item in source().requests(("odds",), AS_OF)][:1] == [ODDS.endpoint]


def test_backfill_asks_for_seasons_and_for_no_prices_of_the_past():
    wanted = [
        item.endpoint for item in source().backfill(("scores", "odds"), date(2021, 5, 1), date(2022, 8, 1))
    ]
    assert [item for item in wanted if "league=39&" in item] == [
        f"fixtures?league=39&season={year}" for year in (2020, 2021, 2022)
    ]
    assert source().backfill(("odds",), date(2021, 5, 1), date(2022, 8, 1)) == []


def test_the_first_page_of_prices_names_the_others():
    more = source().more(ODDS, envelope(total=3))
    assert [item.endpoint for item in more] == [f"odds?league=39&page={page}&season=2022" for page in (2, 3)]
    assert source().more(more[0], envelope(total=3)) == []
    assert source().more(FIXTURES, envelope(total=3)) == []


@pytest.mark.parametrize(
    "body",
    [
        envelope(total=1),
        envelope(total=None),
        envelope(total=MOST_PAGES + 1),
        b"",
        b"[]",
        b"<html>",
        b'{"paging": 3}',
    ],
)
def test_a_damaged_count_of_pages_asks_for_no_more(body: bytes):
    assert source().more(ODDS, body) == []


def test_a_fixture_carries_the_providers_id_and_the_season():
    found = parse(fixture())
    assert (found.n_rows, found.n_parsed, list(found.rejections)) == (1, 1, [])
    assert found.fixtures.row(0, named=True) == {
        "source_match_id": "867986", "competition": "E0", "season": "2022/23", "home_team": "Bournemouth",
        "away_team": "Wolves", "kickoff_on": date(2022, 8, 31), "kickoff_at": datetime(2022, 8, 31, 18, 30, tzinfo=UTC),
        "is_kickoff_time_known": True, "status": "scheduled", "stage": None, "row_number": 1,
        "published_at": datetime(2022, 8, 1, 18, 30, tzinfo=UTC),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        ("Regular Season - 5", "league"), ("Regular Season", "league"), ("Apertura - 12", "league"),
        ("Championship Round - 34", "league"), ("Relegation Round - 2", "league"), ("Relegation Round", "play_off"),
        ("Promotion Play-offs - Semi-finals", "play_off"), ("Apertura - Quarter-finals", "play_off"),
        ("Final", "play_off"), (None, None),
    ],
)  # fmt: skip
def test_a_round_without_a_number_is_a_play_off(said: str | None, stage: str | None):
    found = parse(fixture(league={"id": 39, "season": 2022, "round": said}))
    assert (found.fixtures["stage"].item(), list(found.rejections)) == (stage, [])


def test_a_damaged_round_is_named_and_the_match_stands():
    found = parse(fixture(league={"id": 39, "season": 2022, "round": 7}))
    assert found.fixtures["stage"].item() is None
    assert (only_rejection(found).scope, only_rejection(found).field) == ("field", "league.round")


@pytest.mark.parametrize(("theirs", "ours"), STATUSES.items())
def test_every_status_of_the_provider_has_one_of_ours(theirs: str, ours: str):
    found = parse(fixture(theirs, score=score(fulltime=(1, 0))))
    assert found.fixtures["status"].item() == ours
    assert found.fixtures["is_kickoff_time_known"].item() == (theirs != "TBD")
    # Neither a running score nor that of an abandoned match is a result.
    assert found.scores.height == (1 if theirs in ("FT", "AET", "PEN", "AWD", "WO") else 0)


def test_a_row_refused_for_its_status_says_which_fixture_it_is_about():
    about = only_rejection(parse(fixture("XYZ"))).fixture
    assert about is not None
    assert vars(about) == parse(fixture("NS")).fixtures.select(*vars(about)).row(0, named=True)


def test_an_unknown_status_is_rejected_by_name():
    rejection = only_rejection(parse(fixture("XYZ")))
    assert (rejection.rule, rejection.field, rejection.value) == (
        "unknown_status",
        "fixture.status.short",
        "XYZ",
    )


def test_a_result_is_public_three_hours_after_kickoff():
    row = parse(fixture("FT", score=score(halftime=(1, 0), fulltime=(2, 1)))).scores.row(0, named=True)
    assert (row["home_goals"], row["away_goals"], row["home_goals_half_time"]) == (2, 1, 1)
    assert row["published_at"] == datetime(2022, 8, 31, 21, 30, tzinfo=UTC)
    assert (row["home_goals_extra_time"], row["home_penalties"]) == (None, None)


def test_extra_time_and_shoot_out_are_kept_apart_from_the_ninety_minutes():
    result = score(halftime=(0, 0), fulltime=(1, 1), extratime=(1, 1), penalty=(3, 4))
    row = parse(fixture("PEN", goals={"home": 2, "away": 2}, score=result)).scores.row(0, named=True)
    assert (row["home_goals"], row["away_goals"]) == (1, 1)
    assert (row["home_goals_extra_time"], row["away_goals_extra_time"]) == (1, 1)
    assert (row["home_penalties"], row["away_penalties"]) == (3, 4)


def test_an_awarded_match_needs_no_score_but_a_played_one_does():
    assert list(parse(fixture("WO")).rejections) == []
    rejection = only_rejection(parse(fixture("FT")))
    assert (rejection.scope, rejection.rule, rejection.field) == ("field", "score_missing", "score.fulltime")


def test_half_a_score_is_named_and_the_match_stands():
    found = parse(fixture("FT", score=score(fulltime=(2, None))))
    assert only_rejection(found).field == "score.fulltime.away"
    assert (found.fixtures.height, found.scores.height) == (1, 0)


def test_a_postponed_match_keeps_its_id_when_it_moves():
    old = parse(fixture("PST")).fixtures.row(0, named=True)
    new = parse(fixture("NS", day="2023-04-04T18:45:00+00:00")).fixtures.row(0, named=True)
    assert (old["status"], new["status"]) == ("postponed", "scheduled")
    assert old["source_match_id"] == new["source_match_id"]
    assert new["kickoff_at"] == datetime(2023, 4, 4, 18, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("item", "field", "rule"),
    [
        (None, "[1]", "field_missing"),
        ("fixture", "[1]", "field_invalid"),
        (fixture(number=None), "fixture.id", "field_missing"),
        (fixture(number=1.5), "fixture.id", "field_invalid"),
        (fixture(day="31/08/2022"), "fixture.date", "field_invalid"),
        (fixture(day={}), "fixture.date", "field_invalid"),
        (fixture(status=None), "fixture.status.short", "unknown_status"),
        (fixture(status=["FT"]), "fixture.status.short", "unknown_status"),
        (fixture(league={"id": 2, "season": 2022}), "league.id", "unknown_competition"),
        (fixture(league=None), "league.id", "unknown_competition"),
        (fixture(teams={"home": {"name": "Wolves"}}), "teams.away.name", "field_missing"),
        (fixture(number=1), "id", "duplicate_row"),
    ],
)
def test_an_item_that_cannot_be_used_is_rejected_naming_the_field(item: object, field: str, rule: str):
    found = parse(fixture(number=1), item, fixture(number=2))
    assert (found.n_rows, found.n_parsed) == (3, 2)
    rejection = only_rejection(found)
    assert (rejection.row_number, rejection.scope) == (2, "row")
    assert (rejection.field, rejection.rule) == (field, rule)


def test_prices_name_their_match_by_id_alone():
    found = parse(priced(WINNER), request=ODDS)
    assert (found.n_rows, found.n_parsed, list(found.rejections)) == (1, 1, [])
    assert found.fixtures.is_empty()
    quote = found.quotes.row(0, named=True)
    assert (quote["source_match_id"], quote["bookmaker"], quote["market"]) == ("867986", "Bet365", "1x2")
    assert (quote["price_home"], quote["price_draw"], quote["price_away"]) == pytest.approx((2.5, 3.3, 2.9))
    assert quote["quoted_at"] == quote["published_at"] == datetime(2022, 8, 30, 9, 49, 32, tzinfo=UTC)


def test_each_line_of_goals_is_a_quote():
    totals = bet(
        "Goals Over/Under",
        ("Over 2.5", "1.80"),
        ("Under 3.5", "1.42"),
        ("Under 2.5", 2.05),
        ("Over 3.5", "2.90"),
    )
    quotes = parse(priced(totals), request=ODDS).quotes.sort("line")
    assert quotes["line"].to_list() == [2.5, 3.5]
    assert quotes["price_over"].to_list() == pytest.approx([1.8, 2.9])
    assert quotes["price_under"].to_list() == pytest.approx([2.05, 1.42])


@pytest.mark.parametrize("signs", ["of the home side", "of each side"])
def test_handicaps_are_paired_whichever_way_the_away_side_is_written(signs: str):
    away = ("Away -0.5", "Away +0.25") if signs == "of the home side" else ("Away +0.5", "Away -0.25")
    handicaps = bet(
        "Asian Handicap", ("Home -0.5", "2.05"), (away[0], "1.85"), ("Home +0.25", "1.60"), (away[1], "2.40")
    )
    found = parse(priced(handicaps), request=ODDS)
    assert list(found.rejections) == []
    quotes = found.quotes.sort("line")
    assert quotes["line"].to_list() == [-0.5, 0.25]
    assert quotes["price_home"].to_list() == pytest.approx([2.05, 1.6])
    assert quotes["price_away"].to_list() == pytest.approx([1.85, 2.4])


@pytest.mark.parametrize("mirrored", [False, True])
def test_where_lines_lie_on_both_sides_of_zero_the_overrounds_decide(mirrored: bool):
    sign = -1 if mirrored else 1
    prices = {-0.5: ("2.05", "1.85"), 0.5: ("1.33", "3.40")}
    values = [
        value
        for line, (home, away) in prices.items()
        for value in ((f"Home {line:+}", home), (f"Away {sign * line:+}", away))
    ]
    quotes = parse(priced(bet("Asian Handicap", *values)), request=ODDS).quotes.sort("line")
    assert quotes["price_away"].to_list() == pytest.approx([1.85, 3.4])


def test_bets_that_are_no_market_of_ours_are_passed_over():
    other = bet("Exact Goals Number", (2, "3.50"), ("more 7", "29.00"))
    found = parse(priced(other, WINNER), request=ODDS)
    assert (found.quotes.height, list(found.rejections)) == (1, [])


@pytest.mark.parametrize(
    ("damaged", "rule"),
    [
        (bet("Match Winner", ("Home", "2.50"), ("Away", "2.90")), "quote_incomplete"),
        (bet("Match Winner", ("Home", "0"), ("Draw", "3.30"), ("Away", "2.90")), "price_invalid"),
        (bet("Match Winner", ("Home", "NaN"), ("Draw", "3.30"), ("Away", "2.90")), "price_invalid"),
        (bet("Match Winner", ("Home", "1.1"), ("Draw", "1.1"), ("Away", "2.90")), "overround_impossible"),
        (bet("Goals Over/Under", ("Over 2.5", "1.80")), "quote_incomplete"),
        (bet("Goals Over/Under", (2, "1.80")), "outcome_unknown"),
        (bet("Goals Over/Under", ("Over", "1.80")), "outcome_unknown"),
        (bet("Match Winner", ("Home -1", "1.80")), "outcome_unknown"),
        ({"name": "Match Winner", "values": [None]}, "field_missing"),
        ({"name": "Match Winner"}, "field_missing"),
        (None, "field_missing"),
        (WINNER, "duplicate_quote"),
    ],
)
def test_a_damaged_bet_costs_only_its_own_prices(damaged: object, rule: str):
    found = parse(priced(WINNER, damaged), request=ODDS)
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.rule, rejection.row_number) == ("price", rule, 1)
    assert rejection.field is not None
    assert rejection.field.startswith("Bet365.bets[1]")
    assert (found.n_parsed, found.quotes.height) == (1, 1)


def test_a_price_of_a_match_being_played_is_set_aside():
    found = parse(priced(WINNER, update="2022-08-31T18:30:00+00:00"), request=ODDS)
    assert only_rejection(found).rule == "price_in_play"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"update": None}, "update"),
        ({"bookmakers": None}, "bookmakers"),
        ({"fixture": {"id": 1}}, "fixture.date"),
        ({"fixture": []}, "fixture.id"),
        ({"league": {"id": 39.5}}, "league.id"),
    ],
)
def test_prices_that_cannot_be_dated_or_placed_are_a_rejected_row(changes: dict[str, object], field: str):
    found = parse(priced(WINNER, **changes), request=ODDS)
    assert (found.n_rows, found.n_parsed, only_rejection(found).field) == (1, 0, field)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"response": {', b"[]", b'{"errors": {}}', b'{"response": null}', b"null"]
)
def test_a_body_without_a_response_is_rejected_with_its_place(body: bytes):
    with pytest.raises(PayloadRejected, match="league=39"):
        source().parse(FIXTURES, body)


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("api-football_v3_fixtures_2022-08-29.json", {"played": 20}),
        ("api-football_v3_fixtures_2022-09-05.json", {"postponed": 13, "scheduled": 9, "played": 7}),
    ],
)
def test_the_captured_fixtures_parse_fully(shared_data: Path, name: str, statuses: dict[str, int]):
    found = source().parse(FIXTURES, (shared_data / "api_samples" / name).read_bytes())
    assert found.n_rows == found.n_parsed == sum(statuses.values())
    assert list(found.rejections) == []
    assert dict(found.fixtures["status"].value_counts().iter_rows()) == statuses
    assert found.scores.height == statuses["played"]
    assert found.scores["home_goals_half_time"].null_count() == 0


def judge(status: int, errors: object = ()) -> Verdict:
    return ApiFootballDialect().judge(
        RawReply(status, {}, json.dumps({"errors": errors, "response": []}).encode())
    )


def test_an_empty_list_of_errors_is_an_answer():
    assert judge(200).kind == judge(200, {}).kind == "answered"
    assert ApiFootballDialect().judge(RawReply(200, {}, b"<html>")).kind == "answered"


def test_too_many_requests_come_with_status_200_and_are_asked_again_after_a_minute():
    verdict = judge(200, {"rateLimit": "Too many requests. Your rate limit is 10 requests per minute."})
    assert (verdict.kind, verdict.wait_seconds) == ("again", 60.0)
    assert "10 requests per minute" in verdict.reason


def test_a_spent_quota_comes_with_status_200():
    verdict = judge(200, {"requests": "You have reached the request limit for the day"})
    assert (verdict.kind, verdict.until) == ("quota_spent", None)


@pytest.mark.parametrize("name", ["token", "key"])
def test_a_wrong_key_is_refused_naming_the_setting(name: str):
    verdict = judge(200, {name: "Error/Missing application key."})
    assert verdict.kind == "refused"
    assert "TOUCHLINE_API_FOOTBALL_KEY" in verdict.reason


@pytest.mark.parametrize("errors", [{"plan": "no access to this season"}, ["no access to this season"]])
def test_other_errors_are_refused_in_the_providers_words(errors: object):
    verdict = judge(200, errors)
    assert verdict.kind == "refused"
    assert "no access to this season" in verdict.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, "not_offered"),
        (499, "again"),
        (500, "again"),
        (429, "again"),
        (404, "not_offered"),
        (403, "refused"),
        (400, "refused"),
    ],
)
def test_other_statuses_mean_what_they_say(status: int, kind: str):
    assert ApiFootballDialect().judge(RawReply(status, {}, b"")).kind == kind


def test_calls_of_the_minute_and_credits_of_the_day_are_read_from_the_headers():
    headers = {"x-ratelimit-requests-remaining": "93", "x-ratelimit-remaining": "9"}
    allowance = ApiFootballDialect().allowance(RawReply(200, headers, b""))
    assert (allowance.remaining_credits, allowance.remaining_calls) == (93, 9)
    assert (
        ApiFootballDialect().allowance(RawReply(200, {"x-ratelimit-remaining": "-"}, b"")).remaining_calls
        is None
    )


def test_the_client_waits_a_minute_and_then_has_the_body():
    busy = ScriptedReply(
        200, json.dumps({"errors": {"rateLimit": "Too many requests."}, "response": []}).encode()
    )
    with scripted_provider([busy, ScriptedReply(200, envelope(fixture()))]) as provider:
        client, pauses = client_of(provider.address, "api_football", ApiFootballDialect())
        reply = ApiFootball(CONFIGURATION, client).fetch(FIXTURES, AS_OF, {})
    assert isinstance(reply, Reply)
    assert [int(pause) for pause in pauses] == [60]
    assert provider.paths == ["/fixtures?league=39&season=2022"] * 2


def test_the_key_appears_nowhere_but_in_the_header():
    echo = json.dumps({"errors": {"token": f"The key {KEY} is unknown."}, "response": []}).encode()
    with scripted_provider([ScriptedReply(200, echo)]) as provider:
        governor = OpenGovernor()
        client, _ = client_of(provider.address, "api_football", ApiFootballDialect(), governor)
        one = ApiFootball(CONFIGURATION, client)
        with pytest.raises(SourceUnavailable) as refused:
            one.fetch(FIXTURES, AS_OF, {})
    assert provider.headers[0]["x-apisports-key"] == KEY
    texts = [str(refused.value), repr(refused.value), repr(client), repr(one), *provider.paths]
    texts += [repr(verdict) for _, verdict in governor.heard]
    texts += [
        repr(request) for request in [*one.requests(("odds",), AS_OF), *one.more(ODDS, envelope(total=2))]
    ]
    assert all(KEY not in text for text in texts)
