"""The backtest: run a folder of real files through the production steps, then walk forward season by season."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
from psycopg import sql

from touchline.clock import virtual_clock
from touchline.database import bootstrap
from touchline.database.engine import open_url, rows
from touchline.errors import BacktestImpossible
from touchline.features.training import training_frame
from touchline.forecasting.evaluation import evaluate
from touchline.forecasting.fingerprints import dataset_digest, modelling_digest
from touchline.forecasting.forecaster import fit_forecaster
from touchline.forecasting.report.document import write_report
from touchline.forecasting.report.importance import forecaster_importance
from touchline.forecasting.specs import ForecasterParameters
from touchline.forecasting.walk_forward import Refit, walk_forward
from touchline.landing.collect import collect
from touchline.ratings.update import update_ratings
from touchline.run_id import new_run_id
from touchline.settings import Settings
from touchline.sources.registry import source_folder
from touchline.warehouse.build import build_layer

DATABASE_PREFIX = "touchline_backtest_"

# Called with the step, how much of it is done, and how much there is (0: unknown).
StepProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BacktestRequest:
    """Which matches are forecast: kick-offs from `from_on` to `to_on` (UTC dates, inclusive).

    No `competitions` means all. Models learn from all of the source's competitions, and are refitted before each
    season or each week.
    """

    competitions: tuple[str, ...]
    from_on: date
    to_on: date
    refit: Refit = "season"

    @property
    def as_of(self) -> datetime:
        """The midnight (UTC) after the last day: everything played by then is known."""
        return datetime.combine(self.to_on + timedelta(days=1), time(), UTC)


def backtest_settings(settings: Settings, request: BacktestRequest) -> Settings:
    """The same settings with a database of their own for this folder's present content and this end date.

    Facts are dated by when they were observed, so a folder read up to another day needs another database.
    """
    digest = hashlib.sha256(f"{settings.source}|{request.as_of.isoformat()}".encode())
    folder = source_folder(settings)
    if folder is not None and folder.is_dir():
        for path in sorted(folder.rglob("*.csv")):
            state = path.stat()
            digest.update(f"{path.relative_to(folder)}|{state.st_size}|{state.st_mtime_ns}".encode())
    name = DATABASE_PREFIX + digest.hexdigest()[:12]
    return settings.model_copy(update={"database_name": name, "as_of": request.as_of})


def run_backtest(
    settings: Settings,
    request: BacktestRequest,
    parameters: ForecasterParameters,
    on_progress: StepProgress = lambda step, done, total: None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Collect, build, rate and walk forward; returns the JSON object of `touchline backtest --json`.

    With `report`, the pages of `forecasting.report` are written to that folder. Raises BacktestImpossible when no
    match can be forecast.
    """
    matches = played_matches(settings, request, on_progress)
    return backtest(
        matches,
        request,
        parameters,
        lambda window, done, total: on_progress("forecast", done, total),
        report,
        settings.home / "backtests",
    )


def played_matches(
    settings: Settings,
    request: BacktestRequest,
    on_progress: StepProgress = lambda step, done, total: None,
) -> pd.DataFrame:
    """Collect, build and rate as in production; returns the training frame of all matches played by then.

    `settings` come from `backtest_settings`. Databases of other backtests are dropped unless in use.
    """
    bootstrap.prepare(settings)
    _drop_other_backtests(settings)
    run_id = new_run_id("backtest")
    clock = virtual_clock(request.as_of)
    collect(settings, clock, run_id, on_progress=on_progress)
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("build core", lambda: build_layer(settings, "core", clock.as_of, run_id)),
        ("rate teams", lambda: update_ratings(settings, clock.as_of, run_id)),
        ("build features", lambda: build_layer(settings, "features", clock.as_of, run_id)),
    )
    for name, step in steps:
        on_progress(name, 0, 1)
        step()
        on_progress(name, 1, 1)
    on_progress("join features", 0, 1)
    matches = training_frame(settings, clock.as_of, since=settings.training_since)
    on_progress("join features", 1, 1)
    return matches


def backtest(
    matches: pd.DataFrame,
    request: BacktestRequest,
    parameters: ForecasterParameters,
    on_window: StepProgress = lambda step, done, total: None,
    report: Path | None = None,
    store: Path | None = None,
) -> dict[str, Any]:
    """Walk a training frame forward and score what `request` asks for; write the report to a folder if given.

    Finished windows are kept below `store` for the same matches, parameters and code, so a stopped backtest resumes
    where it was. Raises BacktestImpossible when no match can be forecast.
    """
    day = matches["kickoff_at"].dt.date
    asked = (day >= request.from_on) & (day <= request.to_on)
    if request.competitions:
        asked &= matches["competition"].isin(request.competitions)
    tested = matches[asked]
    if tested.empty:
        raise BacktestImpossible(
            f"no played match of {', '.join(request.competitions) or 'any competition'} from {request.from_on} "
            f"to {request.to_on}: check the folder, the competitions and the dates"
        )
    try:
        predictions = walk_forward(
            matches, sorted(tested["season"].unique()), parameters, on_window, refit=request.refit,
            store=None if store is None else store / _key(matches, parameters),
        )  # fmt: skip
        asked_for = predictions.loc[predictions["match_id"].isin(tested["match_id"])]
        found = evaluate(asked_for, parameters.seed)
    except ValueError as error:
        raise BacktestImpossible(f"{error}; start later, or add older season files") from error
    told = {
        "from": request.from_on.isoformat(),
        "to": request.to_on.isoformat(),
        "refit": request.refit,
        "competitions": sorted(tested["competition"].unique()),
        "matches_played": len(tested),
        **found,
        "parameters": asdict(parameters),
    }
    if report is not None:
        write_report(report, asked_for, told, _importance(matches, asked_for, parameters))
    return told


def _key(matches: pd.DataFrame, parameters: ForecasterParameters) -> str:
    parts = json.dumps([dataset_digest(matches), asdict(parameters), modelling_digest()], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _importance(
    matches: pd.DataFrame, predictions: pd.DataFrame, parameters: ForecasterParameters
) -> pd.DataFrame:
    """The importance of features in the last season, for models fitted on the matches before it."""
    last = predictions[predictions["season"] == predictions["season"].max()]
    known = matches[matches["kickoff_at"] <= last["learned_until"].min()]
    forecaster = fit_forecaster(known, parameters)
    return forecaster_importance(forecaster, matches[matches["match_id"].isin(last["match_id"])])


def _drop_other_backtests(settings: Settings) -> None:
    with open_url(settings.admin_url, autocommit=True) as admin:
        found: Sequence[dict[str, Any]] = rows(
            admin,
            "select datname from pg_database where starts_with(datname, %s) and datname <> %s",
            (DATABASE_PREFIX, settings.warehouse_database),
        )
        for row in found:
            try:
                admin.execute(sql.SQL("drop database {}").format(sql.Identifier(row["datname"])))
            except psycopg.errors.ObjectInUse:
                # Another backtest is using it; a later one will drop it.
                continue
