"""The backtest's report as files: self-contained, complete, the same bytes for the same input."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from report_frames import simulated_predictions, with_forecast
from touchline.errors import ForecastInSample
from touchline.forecasting.boosting import fit_counts, fit_trees, log_rates, raw_scores
from touchline.forecasting.design import Design
from touchline.forecasting.forecaster import fit_forecaster
from touchline.forecasting.report.blocks import Banner, Paragraph, Table, html_page, markdown_page
from touchline.forecasting.report.document import ReportFiles, write_report
from touchline.forecasting.report.frame import compare, forecasts_in
from touchline.forecasting.report.importance import (
    MOST_MATCHES,
    forecaster_importance,
    tree_contributions,
)
from touchline.forecasting.report.money import all_money
from touchline.forecasting.report.money_section import money
from touchline.forecasting.walk_forward import probabilities_of, probability_columns
from touchline.ratings.strength import STRENGTHS
from training_frames import QUICK, simulated_matches

pytestmark = pytest.mark.slow

SECTIONS = (
    "In short",
    "Scores",
    "Skill",
    "Gap",
    "Calibration",
    "Where it is worst",
    "What the trees",
    "Money",
)
PICTURES = {
    "skill_by_season", "skill_by_competition", "gap_closed", "reliability", "calibration_by_outcome",
    "worst_with_odds", "worst_no_odds", "worst_last_price", "importance_with_odds", "bankrolls",
}  # fmt: skip
DIFFERENCE = {"difference": -0.00078, "low": -0.00121, "high": -0.00034}
EVALUATION = {
    "paired": {"with_odds - market_prematch": {"n": 1900, "rps": DIFFERENCE, "log_loss": DIFFERENCE}},
    "parameters": {"seed": 3},
}
IMPORTANCE = pd.DataFrame(
    {
        "forecast": "with_odds", "feature": ["gap_elo", "market_spread"], "home": [0.02, 0.01], "draw": [0.01, 0.01],
        "away": [0.03, 0.01], "mean": [0.02, 0.01],
    }
)  # fmt: skip


class Page(HTMLParser):
    """Reads a page strictly: every element that opens has to close, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and re.fullmatch("h[1-3]", self.open[-1]):
            self.headings.append(data)


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    """With a forecast nobody has heard of, one that hardly exists, matches without a price, invented football."""
    frame = simulated_predictions(2000)
    frame["competition"] = frame["competition"].replace("E1", "X1")
    with_forecast(frame, "my_own", probabilities_of(frame, "elo"))
    with_forecast(
        frame, "rare", np.where(np.arange(2000)[:, None] < 50, probabilities_of(frame, "elo"), np.nan)
    )
    frame.loc[frame.index[::20], probability_columns("market_prematch")] = np.nan
    return frame


@pytest.fixture(scope="module")
def written(predictions: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    return write_report(folder, predictions, EVALUATION, IMPORTANCE)


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def test_the_page_is_whole_and_loads_nothing(written: ReportFiles) -> None:
    page = read(written.html.read_text(encoding="utf-8"))
    assert page.open == []
    assert [any(heading.startswith(name) for heading in page.headings) for name in SECTIONS] == [True] * 8
    assert len(page.loaded) == len(written.pictures)
    assert all(source.startswith("data:image/png;base64,") for source in page.loaded)


def test_every_forecast_of_the_frame_is_in_the_report(
    predictions: pd.DataFrame, written: ReportFiles
) -> None:
    for text in (written.html.read_text(encoding="utf-8"), written.markdown.read_text(encoding="utf-8")):
        assert [name for name in forecasts_in(predictions) if name not in text] == []
        assert "Left out: rare, which covers only 2 % of the matches" in text


def test_markdown_has_its_pictures_beside_it(written: ReportFiles) -> None:
    text = written.markdown.read_text(encoding="utf-8")
    named = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert {written.markdown.parent / name for name in named} == set(written.pictures)
    assert {path.stem for path in written.pictures} >= PICTURES
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written.pictures)
    rows = [line.count("|") for line in text.splitlines() if line.startswith("| with_odds ")]
    assert len(rows) >= 5
    assert "| with_odds - market_prematch | 1,900 | -0.78 [-1.21, -0.34] | -0.78 [-1.21, -0.34] |" in text


def test_unpriced_matches_have_a_table_of_their_own(written: ReportFiles) -> None:
    text = written.markdown.read_text(encoding="utf-8")
    table = text[text.index("Matches without a pre-match price") :].split("\n\n")[1]
    assert "| truth | 100 |" in table


@pytest.mark.nightly  # By day forecasts (tests/unit/test_reproducibility.py) and exports.
def test_the_same_input_writes_the_same_bytes(
    predictions: pd.DataFrame, written: ReportFiles, tmp_path: Path
) -> None:
    again = write_report(tmp_path, predictions, EVALUATION, IMPORTANCE)
    for one, other in zip(
        (written.html, written.markdown, *written.pictures),
        (again.html, again.markdown, *again.pictures),
        strict=True,
    ):
        assert one.read_bytes() == other.read_bytes()


def test_simulated_football_is_called_so_before_anything_else(written: ReportFiles) -> None:
    assert written.markdown.read_text(encoding="utf-8").startswith("> **SIMULATED football")
    assert '<body>\n<div class="banner">SIMULATED football' in written.html.read_text(encoding="utf-8")


def test_without_prices_there_is_nothing_to_tell_about_money() -> None:
    frame = simulated_predictions(600)
    frame = frame.drop(
        columns=[name for name in frame if "price_" in str(name) and not str(name).startswith("p_")]
    )
    _, said = money(compare(frame, seed=1), frame, all_money(frame, seed=1), seed=1)
    assert isinstance(said, Paragraph)
    assert "there is nothing to report" in said.text


def test_a_frame_in_sample_writes_nothing(tmp_path: Path) -> None:
    frame = simulated_predictions(600)
    with pytest.raises(ForecastInSample):
        write_report(tmp_path / "report", frame.assign(learned_until=frame["kickoff_at"]), EVALUATION)
    assert not (tmp_path / "report").exists()


def test_names_cannot_break_the_page() -> None:
    table = Table("<b>", ("a|b", "&"), (("<script>", "1|2"),))
    html = html_page("<title>", [Banner("<i>"), table])
    assert read(html).open == []
    assert not {"<script>", "<i>", "<b>"} & set(re.findall("<[^>]+>", html))
    assert "| <script> | 1\\|2 |" in markdown_page([table], "pictures")


def test_contributions_of_features_add_up_to_the_score() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (600, 3)).astype(np.float32)
    design = Design(("strong", "weak", "nothing"), values)
    outcomes = np.digitize(values[:, 0] + 0.3 * values[:, 1] + rng.normal(0, 0.5, 600), [-0.5, 0.5])
    trees = QUICK.no_odds.trees
    (of_outcomes,) = fit_trees(design, outcomes.astype(np.int64), trees, 1, np.full((600, 3), np.log(1 / 3)))
    of_counts = fit_counts(design, outcomes.astype(np.float64), trees, 1, np.zeros(600))
    for booster, scores in ((of_outcomes, raw_scores), (of_counts, log_rates)):
        told = tree_contributions(booster, design)
        rest = scores(booster, design).reshape(600, -1) - told.sum(axis=1)
        # What is left over is the expected value, the same for every match.
        assert np.ptp(rest, axis=0) == pytest.approx(0, abs=1e-6)
        assert np.abs(told - told.mean(axis=0)).mean(axis=(0, 2)).argmax() == 0


def test_importance_of_a_forecaster_names_its_forecasts_and_what_carries_the_truth() -> None:
    matches = simulated_matches(n_seasons=4, n_a_season=250)
    forecaster = fit_forecaster(matches, QUICK)
    found = forecaster_importance(forecaster, matches)
    assert list(found.columns) == ["forecast", "feature", "home", "draw", "away", "mean"]
    assert set(found["forecast"]) == {"with_odds", "no_odds"}
    top = found[found["forecast"] == "no_odds"].nlargest(4, "mean")["feature"]
    assert set(top) & {"gap_elo", "gap_form_points_long", *(f"goals_{speed}_gap" for speed in STRENGTHS)}
    assert len(matches) <= MOST_MATCHES
    assert (found["mean"] == found[["home", "draw", "away"]].mean(axis=1)).all()
