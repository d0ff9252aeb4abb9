"""The catalogue of features as this installation knows them: definition, availability, missing rate, importance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from touchline.features.catalogue import AVAILABILITY, CATALOGUE, FEATURES
from touchline.forecasting.design_sources import DESIGNS, sources
from touchline.forecasting.report.blocks import Block, Heading, Paragraph, Table, markdown_page
from touchline.forecasting.report.wording import percent

TITLE = "Features"
N_LEADING = 20


@dataclass(frozen=True)
class FeatureEntry:
    """One feature. `missing` is the share of played matches without it, None when none was played.

    `used_by` names the forecasts whose models see it. `importance` is by forecast, in log-odds, and empty without a
    model.
    """

    name: str
    group: str
    definition: str
    unit: str
    used_by: tuple[str, ...]
    missing: float | None
    importance: Mapping[str, float]


def describe_features(matches: pd.DataFrame, importance: pd.DataFrame | None) -> tuple[FeatureEntry, ...]:
    """Every feature, in the order of the catalogue.

    `matches` is a training frame, `importance` a frame of `forecaster_importance`, None without a model. The models'
    columns are made from features, most of them from one feature of each side. A column's importance is shared equally
    by its features, so all features together have the importance of all columns.
    """
    shared: dict[str, dict[str, float]] = defaultdict(dict)
    if importance is not None:
        for forecast, column, size in importance[["forecast", "feature", "mean"]].itertuples(index=False):
            features = sources(forecast)[column]
            for name in features:
                shared[name][forecast] = shared[name].get(forecast, 0.0) + size / len(features)
    used = {forecast: {name for made in sources(forecast).values() for name in made} for forecast in DESIGNS}
    missing = matches[list(FEATURES)].isna().mean()
    return tuple(
        FeatureEntry(
            each.name, each.group, each.text, each.unit,
            tuple(forecast for forecast in DESIGNS if each.name in used[forecast]),
            None if matches.empty else float(missing[each.name]), dict(shared.get(each.name, {})),
        )
        for each in CATALOGUE
    )  # fmt: skip


def feature_page(entries: Sequence[FeatureEntry], matches: pd.DataFrame) -> str:
    """The catalogue as Markdown; the same input gives the same text."""
    return markdown_page(tuple(_blocks(entries, matches)), "")


def missing_text(share: float | None) -> str:
    """A missing rate for people; empty when it is not known."""
    return "" if share is None else "0 %" if share == 0 else "< 0.1 %" if share < 0.001 else percent(share, 1)


def importance_text(entry: FeatureEntry, forecast: str) -> str:
    """Thousandths of log-odds; a dash where the forecast does not see the feature, empty without a model."""
    if forecast not in entry.used_by:
        return "-"
    return f"{1000 * entry.importance[forecast]:.2f}" if forecast in entry.importance else ""


def mean_missing(entries: Sequence[FeatureEntry]) -> float | None:
    """Share of unknown values over all features and matches."""
    known = [entry.missing for entry in entries if entry.missing is not None]
    return sum(known) / len(known) if known else None


def _blocks(entries: Sequence[FeatureEntry], matches: pd.DataFrame) -> Iterator[Block]:
    yield Heading(TITLE, 1)
    yield Paragraph(_origin(matches))
    yield Paragraph(
        "Missing is the share of those matches for which a feature is unknown. Importance is how far a feature moves "
        "the log-odds of home, draw and away in an average match, in thousandths: the mean absolute SHAP value of the "
        "model's columns, each shared equally by the features it is made from (`forecasting/design_sources.py`). For "
        "with_odds it is what is added to the market's prices; since the forecast starts from these, prices seem "
        "unimportant. Features with the same information share its weight. A dash means that the forecast does not "
        "see the feature."
    )
    groups = {
        group: [entry for entry in entries if entry.group == group]
        for group in dict.fromkeys(entry.group for entry in entries)
    }
    yield _summary(entries, groups)
    for forecast in DESIGNS:
        if any(forecast in entry.importance for entry in entries):
            yield _leading(entries, forecast)
    for group, members in groups.items():
        yield Heading(group)
        yield Paragraph(AVAILABILITY[group])
        yield Table(
            f"{len(members)} features",
            ("feature", "unit", "missing", *_columns("importance in")),
            tuple((_named(entry), entry.unit, missing_text(entry.missing), *_importances(entry)) for entry in members),
            is_folded=True,
        )  # fmt: skip


def _origin(matches: pd.DataFrame) -> str:
    made = "Written by `touchline features --markdown FILE`"
    if matches.empty:
        return f"{made}; no match was played yet."
    first, last = matches["kickoff_at"].min(), matches["kickoff_at"].max()
    return (
        f"{made} from the training frame of {len(matches):,} matches in {matches['competition'].nunique()} "
        f"competitions, {first:%Y-%m-%d} to {last:%Y-%m-%d}. Definitions are in `features/catalogue.py`."
    )


def _summary(entries: Sequence[FeatureEntry], groups: Mapping[str, Sequence[FeatureEntry]]) -> Table:
    rows = [
        (
            f"`{group}`" if group else "all", str(len(members)),
            ", ".join(name for name in DESIGNS if any(name in entry.used_by for entry in members)),
            missing_text(mean_missing(members)), *_total(members),
        )
        for group, members in (*groups.items(), ("", entries))
    ]  # fmt: skip
    return Table(
        "Groups", ("group", "features", "used by", "missing", *_columns("importance in")), tuple(rows)
    )


def _total(members: Sequence[FeatureEntry]) -> tuple[str, ...]:
    sums = [sum(entry.importance.get(forecast, 0.0) for entry in members) for forecast in DESIGNS]
    is_used = [any(forecast in entry.used_by for entry in members) for forecast in DESIGNS]
    is_known = any(entry.importance for entry in members)
    return tuple(
        "-" if not used else f"{1000 * total:.0f}" if is_known else ""
        for total, used in zip(sums, is_used, strict=True)
    )


def _leading(entries: Sequence[FeatureEntry], forecast: str) -> Table:
    ranked = sorted(entries, key=lambda entry: (-entry.importance.get(forecast, 0.0), entry.name))[:N_LEADING]
    return Table(
        f"What {forecast} looks at most",
        ("feature", "importance"),
        tuple((_named(entry), importance_text(entry, forecast)) for entry in ranked),
    )


def _named(entry: FeatureEntry) -> str:
    return f"`{entry.name}`: {entry.definition}"


def _columns(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix} {forecast}" for forecast in DESIGNS)


def _importances(entry: FeatureEntry) -> tuple[str, ...]:
    return tuple(importance_text(entry, forecast) for forecast in DESIGNS)
