"""Ratings as known at every instant: the states that hold at an instant are those of the results that stood then."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from touchline.ratings.engine import Result, State, rate
from touchline.ratings.history import FOREVER, History, Version

TEAMS = "abcd"
A_MONTH = 30 * 86_400_000_000


def version(kickoff: int, pair: str, goals: int, valid_from: int, valid_to: int = FOREVER) -> Version:
    """Match `pair` at `kickoff`, a month after the last; the home side scored `goals`, prices moved to it."""
    result = Result(
        1, *pair, goals, 1, goals, 2, kickoff_at=kickoff * A_MONTH,
        prematch_supremacy=0.1 * goals, prematch_draw=-0.3, closing_supremacy=0.2 * goals, closing_draw=-0.3,
    )  # fmt: skip
    return Version((kickoff, f"{kickoff}{pair}"), result, valid_from, valid_to)


def learned(*versions: Version) -> History:
    history = History()
    history.learn_all(versions, since=-1)
    return history


def standing(history: History, instant: int) -> dict[tuple[str, Any], State]:
    """The states that hold at an instant, by team and match."""
    found = [rated for rated in history.rated if rated.valid_from <= instant < rated.valid_to]
    states = {(rated.team_id, rated.key): rated.state for rated in found}
    assert len(states) == len(found), "two states hold at once"
    return states


def plainly(versions: list[Version], instant: int) -> dict[tuple[str, Any], State]:
    """The same, rated from nothing out of the results that stand at the instant."""
    stand = sorted(each for each in versions if each.valid_from <= instant < each.valid_to)
    after = rate((each.result for each in stand), {})
    sides = [(team, each.key) for each in stand for team in each.result[1:3]]
    return dict(zip(sides, after, strict=True))


def test_results_in_order_are_only_added():
    history = learned(version(1, "ab", 2, 10), version(2, "cd", 0, 10), version(3, "ac", 1, 20))
    assert len(history.rated) == 6
    assert not history.closed


def test_a_late_result_restates_only_what_it_moves():
    history = learned(
        version(1, "ab", 2, 30), version(2, "ac", 0, 10), version(2, "bd", 0, 10), version(0, "cd", 1, 5)
    )
    assert {(rated.team_id, rated.key[0], rated.valid_to) for rated in history.closed} == {
        ("a", 2, 30), ("c", 2, 30), ("b", 2, 30), ("d", 2, 30),
    }  # fmt: skip
    assert {rated.key[0] for rated in history.rated if rated.valid_from == 30} == {1, 2}


def test_a_withdrawn_result_leaves_the_states_before_it():
    versions = [version(1, "ab", 2, 10), version(2, "ab", 3, 20, 40)]
    history = learned(*versions)
    assert standing(history, 45) == plainly(versions, 45)
    assert {key[0] for _, key in standing(history, 45)} == {1}


@st.composite
def known_results(draw: st.DrawFn) -> list[Version]:
    """Matches whose results come in time or late, are corrected up to twice, or withdrawn."""
    versions = []
    for kickoff in range(draw(st.integers(1, 9))):
        pair = draw(st.permutations(TEAMS))[:2]
        instants = sorted(
            draw(st.sets(st.integers(kickoff * 2 + 1, kickoff * 2 + 12), min_size=1, max_size=4))
        )
        is_withdrawn = draw(st.booleans()) and len(instants) > 1
        ends = [*instants[1:], FOREVER]
        for number, (start, end) in enumerate(zip(instants, ends, strict=True)):
            if is_withdrawn and number == len(instants) - 1:
                break
            versions.append(version(kickoff, "".join(pair), draw(st.integers(0, 3)), start, end))
    return versions


@examples(max_examples=150, deadline=None)
@given(known_results())
def test_at_every_instant_the_states_are_those_of_the_results_that_stood_then(versions: list[Version]):
    history = learned(*versions)
    for instant in range(32):
        assert standing(history, instant) == plainly(versions, instant)


@examples(max_examples=150, deadline=None)
@given(known_results())
def test_the_last_state_by_knowledge_is_the_last_by_kickoff(versions: list[Version]):
    history = learned(*versions)
    for instant in range(32):
        for team in TEAMS:
            hold = [
                rated for rated in history.rated
                if rated.team_id == team and rated.valid_from <= instant < rated.valid_to
            ]  # fmt: skip
            if hold:
                assert max(hold, key=lambda rated: (rated.valid_from, rated.key)) is max(
                    hold, key=lambda rated: rated.key
                )
