"""Prices of the simulated world as The Odds API tells them: they move by ticks and close at the closing price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox_world import ALL_MARKETS, FRIDAY, HOUR, MINUTE, SPORT, World, event_of
from touchline.sandbox import names
from touchline.sandbox.ticks import BEFORE, MINUTES
from touchline.sources.simulated import THE_ODDS_API


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def h2h(event: dict[str, Any], key: str) -> dict[str, float]:
    book = next(book for book in event["bookmakers"] if book["key"] == key)
    return {outcome["name"]: outcome["price"] for outcome in book["markets"][0]["outcomes"]}


def prices_of(world: World, match: dict[str, Any], since: timedelta) -> dict[str, float]:
    return h2h(event_of(world.odds(match["kickoff_at"] + since), match), "pinnacle")


def test_prices_move_from_the_early_to_the_closing_price_and_close_only_at_the_last_tick(world: World):
    match = world.next_match
    home, away = names.the_odds_api(match["HomeTeam"]), names.the_odds_api(match["AwayTeam"])

    def of_world(stage: str) -> dict[str, float]:
        return {name: match[f"PS{stage}{x}"] for name, x in ((home, "H"), (away, "A"), ("Draw", "D"))}

    assert prices_of(world, match, timedelta(days=-8)) == of_world("")
    assert prices_of(world, match, -16 * MINUTE) == prices_of(world, match, -30 * MINUTE)
    assert prices_of(world, match, -15 * MINUTE) == prices_of(world, match, -MINUTE) == of_world("C")
    path = [tuple(prices_of(world, match, minutes * MINUTE).values()) for minutes in BEFORE]
    assert len(set(path)) > 8
    assert all(1.0 < sum(1 / price for price in prices) < 1.06 for prices in path)


def test_closing_prices_of_all_bookmakers_and_markets_are_the_season_files(world: World):
    match = world.next_match
    home = names.the_odds_api(match["HomeTeam"])
    event = event_of(world.odds(match["kickoff_at"] - MINUTE), match)
    markets = {
        (book["key"], market["key"]): {item["name"]: item["price"] for item in market["outcomes"]}
        for book in event["bookmakers"]
        for market in book["markets"]
    }
    assert len(markets) == 9
    assert markets["bet365", "totals"] == {"Over": match["B365C>2.5"], "Under": match["B365C<2.5"]}
    assert markets["pinnacle", "spreads"][home] == match["PCAHH"]
    assert markets["williamhill", "h2h"]["Draw"] == match["WHCD"]
    spread = next(m for b in event["bookmakers"] for m in b["markets"] if m["key"] == "spreads")
    points = {outcome["name"]: outcome["point"] for outcome in spread["outcomes"]}
    assert points[home] == match["AHCh"]


def test_most_matches_do_not_quote_their_closing_price_before_it_closes(world: World):
    early, closing = world.odds(FRIDAY), {}
    for event in early:
        at = datetime.fromisoformat(event["commence_time"]) - MINUTE
        closed = next(item for item in world.odds(at) if item["id"] == event["id"])
        closing[event["id"]] = h2h(closed, "bet365")
    differing = [event for event in early if h2h(event, "bet365") != closing[event["id"]]]
    assert len(differing) > len(early) * 0.8


def test_updates_are_never_later_than_now_and_prices_change_only_at_ticks(world: World):
    match = world.next_match
    before = None
    for minutes in range(-200, 180, 5):
        event = event_of(world.odds(match["kickoff_at"] + minutes * MINUTE), match)
        updated = datetime.fromisoformat(event["bookmakers"][0]["last_update"])
        since = (updated - match["kickoff_at"]) // MINUTE
        assert since == max(tick for tick in MINUTES if tick <= minutes)
        if before is not None and before[0] == updated:
            assert before[1] == event["bookmakers"]
        before = (updated, event["bookmakers"])


def test_a_match_is_listed_from_eight_days_before_until_three_hours_after_kickoff(world: World):
    match = world.next_match
    home, kickoff = names.the_odds_api(match["HomeTeam"]), match["kickoff_at"]

    def is_listed(at: datetime) -> bool:
        stamp = f"{kickoff:%Y-%m-%dT%H:%M:%SZ}"
        return any(event["home_team"] == home and event["commence_time"] == stamp for event in world.odds(at))

    moments = (-timedelta(days=8) - MINUTE, -timedelta(days=8), 3 * HOUR - MINUTE, 3 * HOUR)
    assert [is_listed(kickoff + since) for since in moments] == [False, True, True, False]
    in_play = event_of(world.odds(kickoff + 2 * HOUR), match)
    assert {market["key"] for book in in_play["bookmakers"] for market in book["markets"]} == {"h2h"}
    assert min(h2h(in_play, "bet365").values()) == 1.0


def test_a_snapshot_of_the_past_is_what_was_told_then(world: World):
    past = FRIDAY - timedelta(days=21)
    asked = {"date": f"{past + 4 * MINUTE:%Y-%m-%dT%H:%M:%SZ}", **ALL_MARKETS}
    snapshot = world.tell(FRIDAY, THE_ODDS_API, f"historical/sports/{SPORT}/odds", **asked)
    assert snapshot["data"] == world.odds(past)
    assert snapshot["timestamp"] == f"{past:%Y-%m-%dT%H:%M:%SZ}"
    future = {"date": "2027-01-01T00:00:00Z", **ALL_MARKETS}
    newest = world.tell(FRIDAY, THE_ODDS_API, f"historical/sports/{SPORT}/odds", **future)
    assert newest["data"] == world.odds(FRIDAY)
    assert newest["next_timestamp"] is None


def test_outcomes_are_never_in_the_order_home_draw_away(world: World):
    orders = set()
    for event in world.odds(FRIDAY, markets="h2h"):
        for book in event["bookmakers"]:
            order = [outcome["name"] for outcome in book["markets"][0]["outcomes"]]
            orders.add(tuple({event["home_team"]: "H", event["away_team"]: "A"}.get(o, "D") for o in order))
    assert orders == {("H", "A", "D"), ("A", "H", "D")}


def test_a_reply_costs_regions_times_markets_and_nothing_when_empty(world: World):
    path = f"sports/{SPORT}/odds"
    assert world.ask(FRIDAY, THE_ODDS_API, path, **ALL_MARKETS).cost == 6
    assert world.ask(FRIDAY, THE_ODDS_API, path, bookmakers="pinnacle,bet365").cost == 1
    assert world.ask(FRIDAY, THE_ODDS_API, f"sports/{SPORT}/events").cost == 0
    assert world.ask(FRIDAY, THE_ODDS_API, f"sports/{SPORT}/scores", daysFrom="2").cost == 2
    summer = world.ask(datetime(2026, 6, 1, tzinfo=UTC), THE_ODDS_API, path, **ALL_MARKETS)
    assert (summer.body, summer.cost) == (b"[]", 0)
