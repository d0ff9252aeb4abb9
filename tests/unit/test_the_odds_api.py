"""The Odds API v4: outcomes by name, prices before kick-off only, credits counted, error codes understood."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from scripted_provider import KEY, OpenGovernor, ScriptedReply, client_of, scripted_provider
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.sources.configuration import read_configuration
from touchline.sources.http import Allowance, RawReply, Verdict
from touchline.sources.source import NoReply, Observations, Rejection, Request
from touchline.sources.the_odds_api import TheOddsApi, TheOddsApiDialect

CONFIGURATION = read_configuration().sources["the_odds_api"]
PARAMETERS = "dateFormat=iso&markets=h2h,spreads,totals&oddsFormat=decimal&regions=eu,uk"
ODDS = Request("the_odds_api", f"sports/soccer_epl/odds?{PARAMETERS}", 6)
SCORES = Request("the_odds_api", "sports/soccer_epl/scores?daysFrom=3", 2)
HISTORY = Request(
    "the_odds_api", f"historical/sports/soccer_epl/odds?date=2024-08-19T06:00:00Z&{PARAMETERS}", 60
)
AS_OF = datetime(2024, 8, 19, 9, tzinfo=UTC)


def source(address: str = "http://127.0.0.1:9") -> TheOddsApi:
    client, _ = client_of(address, "the_odds_api", TheOddsApiDialect())
    return TheOddsApi(CONFIGURATION, client)


def outcomes(**prices: object) -> list[dict[str, object]]:
    names = {"home": "Leicester City", "away": "Tottenham Hotspur", "draw": "Draw"}
    return [{"name": names[side], "price": price} for side, price in prices.items()]


H2H = outcomes(away=1.6, home=5.0, draw=4.2)


def market(key: str = "h2h", outcomes: object = H2H, **changes: object) -> dict[str, object]:
    return {"key": key, "last_update": "2024-08-19T08:26:02Z", "outcomes": outcomes, **changes}


def bookmaker(*markets: object, key: object = "betway", **changes: object) -> dict[str, object]:
    return {
        "key": key,
        "title": "Betway",
        "last_update": "2024-08-19T08:20:00Z",
        "markets": markets,
        **changes,
    }


def event(*bookmakers: object, **changes: object) -> dict[str, object]:
    return {
        "id": "36808dc52374b40df08cab6b1d5664d1",
        "sport_key": "soccer_epl",
        "sport_title": "EPL",
        "commence_time": "2024-08-19T19:00:00Z",
        "home_team": "Leicester City",
        "away_team": "Tottenham Hotspur",
        "bookmakers": bookmakers,
        **changes,
    }


def entry(**changes: object) -> dict[str, object]:
    """One entry of /scores."""
    scores = [{"name": "Tottenham Hotspur", "score": "1"}, {"name": "Leicester City", "score": "2"}]
    found = event(completed=True, scores=scores, last_update="2024-08-19T21:02:00Z")
    del found["bookmakers"]
    return {**found, **changes}


def parse(*events: object, request: Request = ODDS) -> Observations:
    return source().parse(request, json.dumps(events).encode())


def only_rejection(found: Observations) -> Rejection:
    (rejection,) = found.rejections
    return rejection


def test_prices_cost_regions_times_markets_and_scores_two():
    wanted = source().requests(("odds", "scores"), AS_OF)
    assert ODDS in wanted
    assert SCORES in wanted
    assert len(wanted) == 2 * len(CONFIGURATION.competitions)
    assert source().requests(("scores",), AS_OF)[0] == SCORES


def test_lists_of_events_are_free_and_only_asked_for_where_fixtures_alone_are_wanted():
    client, _ = client_of("http://127.0.0.1:9", "the_odds_api", TheOddsApiDialect())
    one = TheOddsApi(CONFIGURATION.model_copy(update={"gives": ("fixtures", "odds", "scores")}), client)
    assert {request.cost for request in one.requests(("fixtures",), AS_OF)} == {0}
    assert all("/events" not in request.endpoint for request in one.requests(("fixtures", "odds"), AS_OF))
    assert source().requests(("fixtures",), AS_OF) == []


def test_backfill_asks_for_a_snapshot_every_six_hours_at_ten_times_the_cost():
    wanted = [
        item
        for item in source().backfill(("odds",), date(2024, 8, 18), date(2024, 8, 19))
        if "_epl/" in item.endpoint
    ]
    assert len(wanted) == 8
    assert wanted[0].endpoint.startswith("historical/sports/soccer_epl/odds?date=2024-08-18T00:00:00Z&")
    assert HISTORY in wanted
    assert [item.endpoint for item in wanted] == sorted(item.endpoint for item in wanted)


def test_backfill_asks_for_nothing_the_provider_cannot_have():
    assert source().backfill(("scores",), date(2024, 8, 18), date(2024, 8, 19)) == []
    assert source().backfill(("odds",), date(2019, 1, 1), date(2019, 2, 1)) == []


def test_outcomes_are_matched_by_name_in_whatever_order():
    found = parse(event(bookmaker(market())))
    assert list(found.rejections) == []
    quote = found.quotes.row(0, named=True)
    assert (quote["bookmaker"], quote["market"], quote["line"]) == ("betway", "1x2", 0.0)
    prices = [quote[name] for name in ("price_home", "price_draw", "price_away")]
    assert prices == pytest.approx([5.0, 4.2, 1.6])
    assert quote["quoted_at"] == quote["published_at"] == datetime(2024, 8, 19, 8, 26, 2, tzinfo=UTC)
    assert quote["source_match_id"] == "36808dc52374b40df08cab6b1d5664d1"
    fixture = found.fixtures.row(0, named=True)
    assert (fixture["competition"], fixture["season"], fixture["status"]) == ("E0", None, "scheduled")
    assert fixture["kickoff_at"] == datetime(2024, 8, 19, 19, tzinfo=UTC)


def test_the_line_of_a_spread_is_the_handicap_of_the_home_side():
    sides = [
        {"name": "Tottenham Hotspur", "price": 1.95, "point": -1.0},
        {"name": "Leicester City", "price": 1.9, "point": 1.0},
    ]
    quote = parse(event(bookmaker(market("spreads", sides)))).quotes.row(0, named=True)
    assert (quote["market"], quote["line"]) == ("asian_handicap", 1.0)
    assert (quote["price_home"], quote["price_away"]) == pytest.approx((1.9, 1.95))


def test_totals_give_one_quote_a_point():
    lines = [(2.5, 1.8, 2.05), (3.5, 2.9, 1.42)]
    totals = [
        {"name": name, "price": price, "point": point}
        for point, over, under in lines
        for name, price in (("Under", under), ("Over", over))
    ]
    quotes = parse(event(bookmaker(market("totals", totals)))).quotes.sort("line")
    assert quotes["line"].to_list() == [2.5, 3.5]
    assert quotes["price_over"].to_list() == pytest.approx([1.8, 2.9])
    assert quotes["price_under"].to_list() == pytest.approx([2.05, 1.42])


def test_lay_prices_are_passed_over_without_a_rejection():
    found = parse(event(bookmaker(market(), market("h2h_lay", outcomes(home=5.4, away=1.65, draw=4.6)))))
    assert (found.quotes.height, list(found.rejections)) == (1, [])


def test_times_may_be_seconds_since_1970():
    seconds = int(datetime(2024, 8, 19, 8, 26, 2, tzinfo=UTC).timestamp())
    kickoff = int(datetime(2024, 8, 19, 19, tzinfo=UTC).timestamp())
    found = parse(event(bookmaker(market(last_update=seconds)), commence_time=kickoff))
    assert found.fixtures["kickoff_at"].item() == datetime(2024, 8, 19, 19, tzinfo=UTC)
    assert found.quotes["quoted_at"].item() == datetime(2024, 8, 19, 8, 26, 2, tzinfo=UTC)


def test_without_a_time_of_its_own_a_market_has_the_bookmakers():
    quotes = parse(event(bookmaker(market(last_update=None)))).quotes
    assert quotes["quoted_at"].item() == datetime(2024, 8, 19, 8, 20, tzinfo=UTC)


def test_a_price_without_any_time_is_set_aside_naming_the_field():
    rejection = only_rejection(parse(event(bookmaker(market(last_update=None), last_update=None))))
    assert (rejection.scope, rejection.rule) == ("price", "field_missing")
    assert rejection.field == "bookmakers[0].last_update"


def test_a_snapshot_dates_its_prices_and_fixtures_by_its_own_time():
    body = {
        "timestamp": "2024-08-19T08:30:00Z", "previous_timestamp": "2024-08-19T08:25:00Z", "next_timestamp": None,
        "data": [event(bookmaker(market()))],
    }  # fmt: skip
    found = source().parse(HISTORY, json.dumps(body).encode())
    at = datetime(2024, 8, 19, 8, 30, tzinfo=UTC)
    assert found.quotes["published_at"].item() == found.fixtures["published_at"].item() == at
    assert found.quotes["quoted_at"].item() == datetime(2024, 8, 19, 8, 26, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"data": []}, "timestamp"),
        ({"timestamp": "x", "data": []}, "timestamp"),
        ({"timestamp": "2024-08-19T08:30:00Z"}, "field data is missing"),
        ([], "an object with the field data"),
    ],
)
def test_a_damaged_snapshot_is_rejected_naming_the_field(body: object, reason: str):
    with pytest.raises(PayloadRejected, match=reason):
        source().parse(HISTORY, json.dumps(body).encode())


def test_a_price_of_a_match_being_played_is_set_aside():
    found = parse(event(bookmaker(market(last_update="2024-08-19T19:00:00Z"))))
    assert only_rejection(found).rule == "price_in_play"
    assert (found.quotes.height, found.fixtures.height) == (0, 1)


@pytest.mark.parametrize(
    ("prices", "rule"),
    [
        (outcomes(home=5.0, away=1.6), "quote_incomplete"),
        (outcomes(home=5.0, away=1.6, draw=None), "quote_incomplete"),
        (outcomes(home=5.0, away=1.0, draw=4.2), "price_invalid"),
        (outcomes(home=5.0, away="evens", draw=4.2), "price_invalid"),
        (outcomes(home=5.0, away=[1.6], draw=4.2), "price_invalid"),
        (outcomes(home=float("nan"), away=1.6, draw=4.2), "price_invalid"),
        (outcomes(home=5.0, away=3.6, draw=4.2), "overround_impossible"),
        ([*H2H, {"name": "Arsenal", "price": 3}], "outcome_unknown"),
        ([*H2H, *outcomes(home=5.1)], "duplicate_quote"),
        ([None], "field_missing"),
        ({}, "field_invalid"),
    ],
)
def test_bad_prices_are_set_aside_and_the_other_quotes_are_kept(prices: object, rule: str):
    found = parse(event(bookmaker(market(outcomes=prices)), bookmaker(market(), key="unibet_uk")))
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.rule, rejection.row_number) == ("price", rule, 1)
    assert rejection.field is not None
    assert rejection.field.startswith("betway.")
    assert found.quotes["bookmaker"].to_list() == ["unibet_uk"]


@pytest.mark.parametrize("point", [None, "one", float("inf"), 10**30])
def test_a_line_that_is_none_is_set_aside(point: object):
    totals = [{"name": name, "price": 1.9, "point": point} for name in ("Over", "Under")]
    found = parse(event(bookmaker(market("totals", totals))))
    assert only_rejection(found).rule == "line_missing"
    assert found.quotes.is_empty()


@pytest.mark.parametrize(
    ("damaged", "field"),
    [
        (None, "bookmakers[0]"),
        (bookmaker(market(), key=None), "bookmakers[0].key"),
        (bookmaker(market(), markets="h2h"), "bookmakers[0].markets"),
        (bookmaker(7), "betway.markets[0]"),
        (bookmaker(market("outrights")), "betway.markets[0].key"),
        (bookmaker(market("h2h", None)), "betway.markets[0].outcomes"),
    ],
)
def test_a_damaged_bookmaker_costs_only_its_own_prices(damaged: object, field: str):
    found = parse(event(damaged, bookmaker(market(), key="unibet_uk")))
    rejection = only_rejection(found)
    assert (rejection.scope, rejection.field) == ("price", field)
    assert found.quotes["bookmaker"].to_list() == ["unibet_uk"]


def test_a_bookmaker_named_twice_counts_once():
    found = parse(event(bookmaker(market()), bookmaker(market())))
    assert only_rejection(found).rule == "duplicate_quote"
    assert found.quotes.height == 1


def test_a_match_without_bookmakers_is_still_a_fixture():
    assert parse(event()).fixtures.height == 1
    missing = parse(event(bookmakers=None))
    assert (missing.n_parsed, only_rejection(missing).field) == (1, "bookmakers")


def test_no_matches_is_an_empty_reply():
    found = parse()
    assert (found.n_rows, found.n_parsed, list(found.rejections)) == (0, 0, [])


def test_a_completed_match_has_its_score_by_name():
    found = parse(entry(), request=SCORES)
    assert list(found.rejections) == []
    assert found.fixtures["status"].item() == "played"
    row = found.scores.row(0, named=True)
    assert (row["home_goals"], row["away_goals"]) == (2, 1)
    assert row["published_at"] == datetime(2024, 8, 19, 21, 2, tzinfo=UTC)


def test_a_running_score_is_no_result():
    found = parse(entry(completed=False), request=SCORES)
    assert (found.fixtures["status"].item(), found.scores.height) == ("in_play", 0)
    found = parse(entry(completed=False, scores=None), request=SCORES)
    assert (found.fixtures["status"].item(), found.scores.height) == ("scheduled", 0)


@pytest.mark.parametrize(
    "scores",
    [
        None,
        [],
        [{"name": "Leicester City", "score": "2"}],
        [{"name": "Leicester City", "score": "2"}, {"name": "Spurs", "score": "1"}],
        [{"name": "Leicester City", "score": "two"}, {"name": "Tottenham Hotspur", "score": "1"}],
        [{"name": "Leicester City", "score": "2"}, {"name": "Leicester City", "score": "2"}],
        [None, 3],
    ],
)
def test_a_score_that_cannot_be_read_is_named_and_the_match_stands(scores: object):
    found = parse(entry(scores=scores), request=SCORES)
    rejection = only_rejection(found)
    assert rejection.scope == "field"
    assert rejection.field is not None
    assert rejection.field.startswith("scores")
    assert (found.n_parsed, found.scores.height, found.fixtures["status"].item()) == (1, 0, "played")


def test_a_match_that_moved_keeps_its_id():
    moved = parse(event(commence_time="2024-09-24T18:45:00Z")).fixtures.row(0, named=True)
    assert moved["source_match_id"] == parse(event()).fixtures["source_match_id"].item()
    assert moved["kickoff_on"] == date(2024, 9, 24)


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"id": None}, "id", "field_missing"),
        ({"id": "../../x"}, "id", "field_invalid"),
        ({"sport_key": "soccer_uefa_champs_league"}, "sport_key", "unknown_competition"),
        ({"commence_time": "soon"}, "commence_time", "field_invalid"),
        ({"commence_time": 10**17}, "commence_time", "field_invalid"),
        ({"commence_time": float("nan")}, "commence_time", "field_invalid"),
        ({"home_team": ""}, "home_team", "field_invalid"),
        ({"home_team": "Tottenham Hotspur"}, "away_team", "team_against_itself"),
    ],
)
def test_an_event_that_cannot_be_used_is_rejected_naming_the_field(
    changes: dict[str, object], field: str, rule: str
):
    found = parse(event(id="a"), event(**changes), event(id="b"), None)
    assert (found.n_rows, found.n_parsed) == (4, 2)
    first, second = found.rejections
    assert (first.row_number, first.scope, first.field, first.rule) == (2, "row", field, rule)
    assert (second.row_number, second.field) == (4, "[3]")


def test_an_event_listed_twice_counts_once():
    found = parse(event(), event(bookmaker(market())))
    assert only_rejection(found).rule == "duplicate_row"
    assert found.quotes.is_empty()


@pytest.mark.parametrize("body", [b"", b"<p>", b"[{", b'{"message": "x"}', b"3", b"\xc3("])
def test_a_body_that_is_no_array_is_rejected_with_its_place(body: bytes):
    with pytest.raises(PayloadRejected, match="sports/soccer_epl/odds"):
        source().parse(ODDS, body)


def test_the_captured_prices_parse_fully(shared_data: Path):
    body = (shared_data / "api_samples" / "the-odds-api_v4_soccer_epl_odds_h2h_2024-08-19.json").read_bytes()
    found = source().parse(ODDS, body)
    assert found.n_rows == found.n_parsed == len(json.loads(body)) > 0
    assert list(found.rejections) == []
    assert found.quotes.height == found.n_rows
    assert (found.quotes.select(pl.sum_horizontal(1 / pl.col("^price_[hda].*$"))).to_series() > 1).all()
    assert (found.quotes["market"] == "1x2").all()


def judge(status: int, code: str | None, message: str = "so it is") -> Verdict:
    body = {"message": message, "error_code": code} if code else {"message": message}
    return TheOddsApiDialect().judge(RawReply(status, {}, json.dumps(body).encode()))


@pytest.mark.parametrize("status", [401, 429, 200])
def test_a_spent_quota_is_known_by_its_code_whatever_the_status(status: int):
    verdict = judge(status, "OUT_OF_USAGE_CREDITS", "Usage quota has been reached.")
    assert (verdict.kind, verdict.until) == ("quota_spent", None)


def test_too_frequent_calls_are_repeated_after_two_seconds():
    verdict = judge(429, "EXCEEDED_FREQ_LIMIT")
    assert (verdict.kind, verdict.wait_seconds) == ("again", 2.0)


@pytest.mark.parametrize("code", ["MISSING_KEY", "INVALID_KEY", "DEACTIVATED_KEY", None])
def test_a_wrong_key_is_refused_naming_the_setting(code: str | None):
    verdict = judge(401, code)
    assert verdict.kind == "refused"
    assert "TOUCHLINE_THE_ODDS_API_KEY" in verdict.reason


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "UNKNOWN_SPORT", "not_offered"), (422, "UNKNOWN_SPORT", "not_offered"),
        (422, "INVALID_MARKET", "refused"), (401, "HISTORICAL_UNAVAILABLE_ON_FREE_USAGE_PLAN", "refused"),
        (404, None, "not_offered"), (500, None, "again"), (502, "SOMETHING", "again"), (429, None, "again"),
        (400, None, "refused"),
    ],
)  # fmt: skip
def test_other_errors_mean_what_they_say(status: int, code: str | None, kind: str):
    verdict = judge(status, code)
    assert verdict.kind == kind
    if code is not None and kind == "refused":
        assert code in verdict.reason


def test_prices_are_an_answer_and_the_credits_left_are_read():
    dialect = TheOddsApiDialect()
    assert dialect.judge(RawReply(200, {}, b"[]")).kind == "answered"
    assert dialect.judge(RawReply(200, {}, b"<html>")).kind == "answered"
    assert dialect.allowance(RawReply(200, {"x-requests-remaining": "480"}, b"")).remaining_credits == 480
    assert dialect.allowance(RawReply(200, {"x-requests-remaining": "many"}, b"")) == Allowance()


def test_the_key_travels_in_the_query_and_appears_nowhere_else():
    wrong = {"message": f"API key {KEY} is not valid", "error_code": "INVALID_KEY"}
    replies = [
        ScriptedReply(401, json.dumps(wrong).encode()),
        ScriptedReply(301, b"", {"Location": f"/v4/?apiKey={KEY}"}),
    ]
    with scripted_provider(replies) as provider:
        governor = OpenGovernor()
        client, _ = client_of(provider.address, "the_odds_api", TheOddsApiDialect(), governor)
        one = TheOddsApi(CONFIGURATION, client)
        texts = []
        for _ in range(2):
            with pytest.raises(SourceUnavailable) as refused:
                one.fetch(ODDS, AS_OF, {})
            texts += [str(refused.value), repr(refused.value)]
    assert f"apiKey={KEY}" in provider.paths[0]
    texts += [repr(client), repr(one), *(repr(verdict) for _, verdict in governor.heard)]
    texts += [repr(request) for request in one.requests(("odds", "scores"), AS_OF)]
    assert all(KEY not in text for text in texts)


def test_a_sport_the_provider_does_not_have_is_not_offered():
    with scripted_provider([ScriptedReply(404, b'{"message":"?","error_code":"UNKNOWN_SPORT"}')]) as provider:
        assert source(provider.address).fetch(SCORES, AS_OF, {}) == NoReply("not_offered")


def test_a_short_pause_is_taken_and_the_parameters_arrive():
    busy = ScriptedReply(429, b'{"message":"slow","error_code":"EXCEEDED_FREQ_LIMIT"}')
    with scripted_provider([busy, ScriptedReply(200, b"[]")]) as provider:
        client, pauses = client_of(provider.address, "the_odds_api", TheOddsApiDialect())
        reply: Any = TheOddsApi(CONFIGURATION, client).fetch(ODDS, AS_OF, {})
    assert reply.body == b"[]"
    assert [int(pause) for pause in pauses] == [2]
    assert "oddsFormat=decimal" in provider.paths[1]
