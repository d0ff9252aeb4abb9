"""Comparisons with peers: the same matches for everybody, and what the tables say of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.comparison import Comparison, Cost, compare, replace_section

N = 400
SHARP, BLUNT, PARTIAL = "sharp", "blunt", "partial"
PAIRS = [(SHARP, BLUNT), (SHARP, PARTIAL)]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """A forecast that knows the probabilities, one that has only base rates, one that skips every fourth match."""
    rng = np.random.default_rng(7)
    truth = rng.dirichlet([2.0, 1.5, 1.5], N)
    outcomes = (rng.random(N)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    partial = np.where(np.arange(N)[:, None] % 4 == 0, np.nan, truth)
    said = {BLUNT: np.tile([0.4, 0.3, 0.3], (N, 1)), PARTIAL: partial, SHARP: truth}
    return compare("Peers", 1000, outcomes, np.arange(N) // 8, said, PAIRS, {SHARP: Cost(12.34, 0.5)})


def test_everybody_is_scored_on_the_matches_that_all_cover(comparison: Comparison):
    assert comparison.n == N * 3 // 4
    assert {scores.n for scores in comparison.scores.values()} == {comparison.n}
    assert comparison.scores[PARTIAL] == comparison.scores[SHARP]


def test_the_best_forecast_comes_first(comparison: Comparison):
    assert list(comparison.scores)[-1] == BLUNT


def test_a_better_forecast_of_ours_has_an_interval_below_zero(comparison: Comparison):
    differences = {pair.other: (pair.rps, pair.log_loss) for pair in comparison.pairs if pair.ours == SHARP}
    assert set(differences) == {BLUNT, PARTIAL}
    assert all(found.high < 0 for found in differences[BLUNT])
    assert all(found.low == found.high == 0 for found in differences[PARTIAL])


def test_markdown_has_a_row_for_every_forecast_and_pair_and_costs_where_they_are_known(
    comparison: Comparison,
):
    lines = comparison.markdown().splitlines()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    assert {SHARP, BLUNT, PARTIAL, f"{SHARP} - {BLUNT}", f"{SHARP} - {PARTIAL}"} < set(rows)
    assert rows[SHARP].endswith("| 12.3 | 0.500 |")
    assert rows[BLUNT].endswith("|  |  |")
    assert f"the same {comparison.n} matches for everybody, of 1,000 played" in lines[0]
    n_columns = {line.count("|") for line in lines if line.startswith("| ")}
    assert n_columns == {7, 4}


def test_forecasts_with_no_match_in_common_are_refused():
    nothing = np.full((2, 3), np.nan)
    with pytest.raises(ValueError, match="none in common"):
        compare("Peers", 2, np.array([0, 1]), np.array([1, 1]), {SHARP: nothing}, [], {})


def test_tables_are_written_between_their_marks_and_nowhere_else(tmp_path: Path):
    document = tmp_path / "figures.md"
    document.write_text(
        "before <!-- a: begin -->\nold\n<!-- a: end --> after <!-- b: begin --><!-- b: end -->"
    )
    for text in ("newer", "newest"):
        replace_section(document, "a", text)
    expected = "before <!-- a: begin -->\nnewest\n<!-- a: end --> after <!-- b: begin --><!-- b: end -->"
    assert document.read_text() == expected
    with pytest.raises(ValueError, match="put <!-- c: begin -->"):
        replace_section(document, "c", "lost")
    assert document.read_text() == expected
