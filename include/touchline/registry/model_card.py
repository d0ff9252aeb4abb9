"""The model card: what a version is for, what it was made from, how good it is, and where it is weak.

After Mitchell et al. (2019), "Model Cards for Model Reporting". It is made only from data stored with the version, so
that card and registry agree.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from touchline.errors import ModelUnavailable
from touchline.forecasting.specs import BASE_RATES, MARKET_CLOSING, MARKET_PREMATCH
from touchline.forecasting.walk_forward import probabilities_of
from touchline.registry import models
from touchline.registry.logged_run import EVALUATION, LEAKAGE, RECIPE
from touchline.registry.promotion import Comparison, Verdict, compare, walk_forward_of
from touchline.registry.purpose import INTENDED_USE, LIMITS
from touchline.registry.tracking import Registry, stored_file

CARD: Final = "model_card.md"
N_WORST = 5
# With fewer matches, a competition's figures mean nothing.
FEWEST_OF_COMPETITION = 50
SHOWN_SCORES = {"rps": "RPS", "log_loss": "log loss", "brier": "Brier", "accuracy": "accuracy"}


@dataclass(frozen=True)
class CardSource:
    """What is stored with a version, and the gate's verdict on it."""

    model_name: str
    version: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    evaluation: Mapping[str, Any]
    leaks: tuple[Mapping[str, Any], ...]
    predictions: pd.DataFrame
    state: str
    verdict: Verdict


def write_card(registry: Registry, version: str, state: str, verdict: Verdict) -> None:
    """Make the card of a registered version, log it with its run, and describe the version by its first lines."""
    found = registry.client.get_model_version(registry.model_name, version)
    run = registry.client.get_run(found.run_id)
    with tempfile.TemporaryDirectory() as folder:
        predictions = walk_forward_of(run, Path(folder))
        evaluation, leakage = (
            json.loads(stored_file(run, name, Path(folder)).read_text()) for name in (EVALUATION, LEAKAGE)
        )
    source = CardSource(
        registry.model_name, version, found.tags, run.data.params, evaluation, tuple(leakage["leaks"]), predictions,
        state, verdict,
    )  # fmt: skip
    registry.client.log_text(found.run_id, model_card(source), CARD)
    registry.client.update_model_version(
        registry.model_name, version, description=f"{_first_words(source)}\n\nDetails: the run's artifact `{CARD}`."
    )  # fmt: skip


def read_card(registry: Registry, version: str) -> str:
    """The card of a version. Raises ModelUnavailable when there is no such version, or it has no card."""
    from mlflow.exceptions import MlflowException

    run_id = models.require_version(registry, version).run_id
    with tempfile.TemporaryDirectory() as folder:
        try:
            return Path(registry.client.download_artifacts(run_id, CARD, folder)).read_text()
        except (MlflowException, OSError) as error:
            raise ModelUnavailable(
                f"version {version} of {registry.model_name} has no card: it was trained before there were cards"
            ) from error


def model_card(source: CardSource) -> str:
    """The card as Markdown."""
    sections = (
        _purpose, _data, _scores, _seasons, _calibration, _comparison, _weaknesses, _leakage, _parameters, _reproducing,
    )  # fmt: skip
    lines = [f"# {source.model_name}, version {source.version}", "", _first_words(source)]
    for section in sections:
        lines += ["", *section(source)]
    return "\n".join(lines) + "\n"


def _first_words(source: CardSource) -> str:
    world = "**Simulated football.** " if source.tags["is_simulated"] == "true" else ""
    return (
        f"{world}Primary forecast `{source.tags['primary']}`, as of {source.tags['as_of']}. "
        f"Gate: **{source.state}**: {source.verdict.reason}."
    )


def _purpose(_: CardSource) -> Iterator[str]:
    yield from ("## Intended use", "", INTENDED_USE)


def _data(source: CardSource) -> Iterator[str]:
    tags = source.tags
    yield from ("## Data", "")
    yield f"* {int(tags['n_matches']):,} played matches, {tags['trained_from']} to {tags['trained_until']}"
    yield f"* competitions: {tags['competitions'].replace(',', ', ')}"
    yield f"* {tags['n_features']} features, each as known just before kick-off (`features.json` names them)"
    yield f"* digest of the training set: `{tags['dataset_digest']}`"


def _scores(source: CardSource) -> Iterator[str]:
    seasons = source.tags["held_out_seasons"].replace(",", ", ")
    yield from (
        "## Held-out scores",
        "",
        f"Seasons {seasons}, each forecast by models that saw only matches before it began; "
        f"{source.evaluation['matches']:,} matches that every forecast covers.",
        "",
        f"| forecast | {' | '.join(SHOWN_SCORES.values())} |",
        f"|---|{'---|' * len(SHOWN_SCORES)}",
    )
    forecasts = source.evaluation["forecasts"]
    for name in sorted(forecasts, key=lambda each: forecasts[each]["log_loss"]):
        cells = [f"{forecasts[name][score]:.5f}" for score in SHOWN_SCORES]
        yield f"| {name} | {' | '.join(cells)} |"


def _seasons(source: CardSource) -> Iterator[str]:
    primary = source.tags["primary"]
    references = (MARKET_PREMATCH, MARKET_CLOSING, BASE_RATES)
    yield f"## `{primary}` by season"
    yield ""
    yield "Mean log loss minus that of each reference, with its 95 % interval (bootstrap over matchdays)."
    yield ""
    yield f"| season | matches | log loss | {' | '.join(f'minus {name}' for name in references)} |"
    yield f"|---|---|---|{'---|' * len(references)}"
    for season, part in source.predictions.groupby("season"):
        own = probabilities_of(part, primary)
        found = [compare(own, probabilities_of(part, name), part, seed=_seed(source)) for name in references]
        loss = source.evaluation["seasons"].get(str(season), {}).get("forecasts", {}).get(primary)
        shown = "" if loss is None else f"{loss['log_loss']:.5f}"
        cells = ["no prices" if each is None else _interval(each) for each in found]
        yield f"| {season} | {len(part):,} | {shown} | {' | '.join(cells)} |"


def _calibration(source: CardSource) -> Iterator[str]:
    primary = source.tags["primary"]
    scores = source.evaluation["forecasts"].get(primary)
    yield from ("## Calibration", "")
    if scores is None:
        yield f"`{primary}` was not measured on the matches that every forecast covers."
        return
    slope = "unknown" if scores["slope"] is None else f"{scores['slope']:.3f}"
    yield f"* slope {slope} (1 is calibrated, below it overconfident), expected calibration error {scores['ece']:.4f}"
    yield "* `plots/reliability.png` shows the curve"


def _comparison(source: CardSource) -> Iterator[str]:
    yield from ("## Against the champion", "")
    found = source.verdict.comparison
    if found is None:
        yield "There was no champion, or the version was not compared with it."
        return
    yield (
        f"Log loss {_interval(found)} on {found.n_matches:,} matches of the last season (below zero, this version is "
        f"better); better with probability {found.p_better:.3f}."
    )


def _weaknesses(source: CardSource) -> Iterator[str]:
    primary = source.tags["primary"]
    rows = []
    for competition, part in source.predictions.groupby("competition"):
        own = probabilities_of(part, primary)
        name = MARKET_PREMATCH
        found = compare(own, probabilities_of(part, name), part, seed=_seed(source))
        if found is None:
            name = BASE_RATES
            found = compare(own, probabilities_of(part, name), part, seed=_seed(source))
        if found is not None and found.n_matches >= FEWEST_OF_COMPETITION:
            rows.append((found.difference.difference, competition, found, name))
    yield from (
        "## Limits and known weaknesses",
        "",
        *(f"* {limit}" for limit in LIMITS),
        f"* Competitions where it did worst against the market (base rates without prices), at least "
        f"{FEWEST_OF_COMPETITION} held-out matches:",
        "",
        "| competition | matches | log loss minus reference | reference |",
        "|---|---|---|---|",
    )
    for _, competition, found, name in sorted(rows, key=lambda row: (-row[0], row[1]))[:N_WORST]:
        yield f"| {competition} | {found.n_matches:,} | {_interval(found)} | {name} |"


def _leakage(source: CardSource) -> Iterator[str]:
    yield from ("## Leakage checks", "")
    yield f"* features that alone forecast the outcome implausibly well: {len(source.leaks)}"
    for leak in source.leaks:
        yield f"  * {leak['subject']}: {leak['difference']:+.4f} nats against {leak['reference']}"
    yield "* the primary forecast against the closing market on held-out matches: see the table by season"
    yield "* features are joined as of kick-off, and closing prices are never features"


def _parameters(source: CardSource) -> Iterator[str]:
    yield from ("## Parameters", "", "| name | value |", "|---|---|")
    for name in sorted(source.parameters):
        yield f"| `{name}` | {source.parameters[name]} |"


def _reproducing(source: CardSource) -> Iterator[str]:
    tags = source.tags
    yield from ("## Reproducing it", "")
    yield "The same data, code and seed give the same probabilities to the last bit, on the same kind of machine."
    yield ""
    yield f"* seed: {source.parameters['seed']}"
    yield f"* code: `{tags['code_version']}`, recipe `{tags[RECIPE]}`"
    yield f"* training set: `{tags['dataset_digest']}`, training key `{tags['training_key']}`"
    yield f"* run of the pipeline: `{tags['pipeline_run_id']}`"


def _interval(found: Comparison) -> str:
    shown = found.difference
    return f"{shown.difference:+.5f} [{shown.low:+.5f}, {shown.high:+.5f}]"


def _seed(source: CardSource) -> int:
    return int(source.parameters["seed"])
