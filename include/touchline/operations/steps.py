"""The table of steps: what each does and needs, what settles it, the work, and what it publishes.

`pipeline.run_step` runs a step, for Airflow tasks and commands alike. The work functions import what they need when
they run, so that reading the table costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from touchline.database.engine import Connection, connect
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.operations import due, names, news
from touchline.operations.pipeline import Run, Step
from touchline.operations.records import Inputs
from touchline.operations.verdicts import all_collected, all_predicted, predicted_in_time
from touchline.warehouse.changes import PlannedLayer, stands_as_of

if TYPE_CHECKING:
    from touchline.landing.asking import Window
    from touchline.landing.collect import Opening, Progress
    from touchline.sources.source import Kind
    from touchline.warehouse.build import Layer

NOTHING_BUILT = "Nothing is built yet, so there is nothing to learn from; build_warehouse comes first."
ONLY_BEFORE_KICKOFF = (
    "A prediction is written before kick-off or not at all, so a past day gets none; `touchline backtest` shows what "
    "would have been predicted."
)
AS_IT_IS_NOW = "A backup holds what is there now, whatever day is asked for."
DELETED_NOW = "What is too old is deleted now, whatever day is asked for."


def collecting(
    kinds: Sequence[Kind], sources: Sequence[str] = (), window: Window | None = None,
    on_progress: Progress | None = None, *, is_strict: bool = False, resumes: bool = False,
    seconds: float | None = None, opening: Opening | None = None,
) -> Step:  # fmt: skip
    """Fetch and land kinds of facts from the named sources, or from all in use; `opening` opens others in their place.

    `window` (two UK days, both included) asks for the matches of these days instead of what is offered now. With
    `is_strict` a failed request fails the step, so that an incomplete day does not count as done; another try asks
    only for what is missing. What is left because a source asked for a pause, or was not done after `seconds`, fails
    nothing: a step that `resumes` asks for it in the same run.
    """

    def work(run: Run) -> Any:
        from touchline.landing.collect import collect
        from touchline.sources.registry import open_sources

        report = collect(
            run.settings, run.clock, run.run_id, kinds, on_progress, sources, window,
            resumes=resumes, seconds=seconds, opening=opening or open_sources,
        )  # fmt: skip
        if is_strict and report.unreadable:
            raise PayloadRejected(report.problems[-1])
        if is_strict and report.problems and report.wait_seconds is None:
            raise SourceUnavailable(f"{len(report.problems)} requests failed: {report.problems[0]}")
        return report

    parts = (f"collect_{'+'.join(kinds)}", "+".join(sources), "rest" if resumes else "")
    name = "/".join(part for part in parts if part)
    return Step(name, f"Fetch and land {', '.join(kinds)}.", work, in_backfill="as now")


def predicting(match_id: str | None = None) -> Step:
    """Predict every fixture in the horizon, or one match, which does not settle the step for the others."""

    def work(run: Run) -> Any:
        from touchline.ledger.predict import predict_matches

        return predict_matches(run.settings, run.clock, run.run_id, match_id)

    step = Step(
        "predict", "Write predictions of every fixture in the horizon to the ledger.", work, ("source", "mlflow"),
        is_present=True, inputs=lambda run, connection: due.prediction_inputs(run.registry, connection, run.as_of),
        always=True, idle=_put_back, publishes=(names.PREDICTIONS,),
        news=news.predicted, in_backfill="never", not_in_backfill=ONLY_BEFORE_KICKOFF,
    )  # fmt: skip
    return step if match_id is None else replace(step, name=f"predict/{match_id}", inputs=None)


def tuning(budget_seconds: float | None = None, n_trials: int | None = None) -> Step:
    """Search for better parameters; the result counts as new until models were trained with it."""

    def budget(run: Run) -> float:
        return run.settings.tuning_budget_seconds if budget_seconds is None else budget_seconds

    def idle(run: Run) -> str | None:
        return "Tuning is off: its budget is 0." if budget(run) == 0 else _nothing_built(run)

    def work(run: Run) -> Any:
        from touchline.registry.tuning import tune

        return tune(run.settings, run.as_of, run.run_id, budget(run), n_trials)

    return Step(
        "tune", "Search for better parameters within the budget.", work, ("source", "mlflow"), idle=idle,
        inputs=lambda _, connection: due.last_build(connection), publishes=(names.TUNED,), news=news.unused_tuning,
    )  # fmt: skip


def searching(since: datetime | None = None) -> Step:
    """Search for anomalies in what became known since the last search, or since an instant (UTC)."""

    def work(run: Run) -> Any:
        from touchline.anomalies.search import find_anomalies

        return find_anomalies(run.settings, run.as_of, run.run_id, since)

    step = Step(
        "detect_anomalies", "Search for anomalies in what became known; they warn, and stop nothing.", work,
        follows="check_features",
    )  # fmt: skip
    return step if since is None else replace(step, name=f"detect_anomalies/{since:%Y-%m-%d}", follows=None)


def checking(gate: Literal["landing", "core", "features"], *, everything: bool = False) -> Step:
    """A quality gate: on what has landed, on core alone, or on core and features; on all matches if `everything`."""

    def work(run: Run) -> Any:
        from touchline.quality import gates

        if gate == "landing":
            return gates.check_landing(run.settings, run.as_of, run.run_id)
        check = gates.check_core if gate == "core" else gates.check_features
        return check(run.settings, run.as_of, run.run_id, everything=everything)

    if gate == "landing":
        return Step(
            "check_landing", "Run the quality gate on what has landed; it fixes the as_of of a build.", work,
            inputs=lambda run, connection: due.build_inputs(connection, run.as_of),
        )  # fmt: skip
    does = f"Run the quality gate on core{'' if gate == 'core' else ' and features'}."
    return Step(f"check_{gate}", does, work, follows=f"build_{gate}")


def _building(layer: Layer, does: str, follows: str | None) -> Step:
    def work(run: Run) -> Any:
        from touchline.warehouse.build import build_layer

        return build_layer(run.settings, layer, run.as_of, run.run_id, is_full=run.is_full)

    return Step(f"build_{layer}", does, work, follows=follows, stands=partial(_stands, layer))


def _update_ratings(run: Run) -> Any:
    from touchline.ratings.update import update_ratings

    return update_ratings(run.settings, run.as_of, run.run_id, is_full=run.is_full)


def _publish_features(run: Run) -> Any:
    from touchline.features.store import publish_features

    return publish_features(run.settings, run.as_of, run.run_id)


def _training_inputs(run: Run, connection: Connection) -> Inputs:
    from touchline.registry.tuning import last_tuning

    return {**due.last_build(connection), "tuning": last_tuning(run.registry)}


def _train(run: Run) -> Any:
    from touchline.registry.training import train

    return train(run.settings, run.as_of, run.run_id)


def _has_champion(run: Run) -> bool:
    from touchline.registry.models import champion_version

    return champion_version(run.registry) is not None


def _confirm_newest(run: Run) -> None:
    """Note that training again would give the newest version: that answers an alarm which asked for a training."""
    from touchline.registry.models import confirm_newest

    confirm_newest(run.registry, run.as_of)


def promoting(version: str | None = None) -> Step:
    """Make an approved version the champion, if it still waits for that; without one, whichever waits."""

    def work(run: Run) -> Any:
        from touchline.registry.approval import promote_approved

        return promote_approved(run.registry, version)

    return Step(
        "promote", "Make the approved version the champion.", work, ("source", "mlflow"),
        publishes=(names.CHAMPION,),
        news=lambda run, report: news.unused_models(run, report) if report.is_promoted else {},
        in_backfill="never", not_in_backfill="A version is approved now or not at all.",
    )  # fmt: skip


def _settle(run: Run) -> Any:
    from touchline.ledger.settle import settle_predictions

    return settle_predictions(run.settings, run.clock, run.run_id)


def _forecast_season(run: Run) -> Any:
    from touchline.ledger.season import forecast_seasons

    return forecast_seasons(run.settings, run.clock, run.run_id)


def _measure_drift(run: Run) -> Any:
    from touchline.monitoring.drift import measure_drift

    return measure_drift(run.settings, run.clock, run.run_id)


def _report_models(run: Run) -> Any:
    from touchline.model_reports.reporting import report_models

    return report_models(run.settings, run.as_of, run.run_id, run.registry)


def _forget_logs(run: Run) -> Any:
    from touchline.operations.house import forget_logs

    return forget_logs(run.settings.home, run.settings.keep.log_days)


def _forget_runs(run: Run) -> Any:
    from touchline.operations.house import forget_runs

    return forget_runs(run.settings, run.settings.keep.run_days)


def _forget_uses(run: Run) -> Any:
    from touchline.operations.house import forget_uses

    return forget_uses(run.settings, run.settings.keep.use_days)


def _backups_are_off(run: Run) -> str | None:
    off = run.settings.backup.folder is None
    return "Backups are off: TOUCHLINE_BACKUP_FOLDER is not set." if off else None


def _back_up(run: Run) -> Any:
    from touchline.backup.take import back_up

    return back_up(run.settings, is_full=run.is_full)


def _check_backup(run: Run) -> Any:
    from touchline.backup.compare import check_backup

    return check_backup(run.settings)


def _clock_stands_still(run: Run) -> str | None:
    return "The clock stands still." if run.clock.mode == "virtual" else None


@dataclass(frozen=True)
class Standing:
    """Whether the warehouse is up to date."""

    is_behind: bool

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            "The warehouse has something to do." if self.is_behind else "The warehouse has seen everything."
        )


def _announcing(kind: str, asset: str) -> Step:
    def work(run: Run) -> Standing:
        from touchline.landing.replay import replay_all_waiting

        replay_all_waiting(run.settings, run.clock, run.run_id)
        return Standing(due.warehouse_is_behind(run.settings, run.clock))

    return Step(
        f"announce_{kind}",
        f"Use what waited for the word of another source, and announce that {kind} have landed, when the warehouse "
        "or a step after it is behind.", work, publishes=(asset,),
        news=lambda run, standing: news.landed(run, asset) if standing.is_behind else {}, is_recorded=False,
        in_backfill="as now",
    )  # fmt: skip


def _stands(layer: PlannedLayer, run: Run) -> bool:
    """False when a full build was started by hand and died: the layer is then built even if the step is settled."""
    return stands_as_of(run.settings, layer) is not None


def _nothing_built(run: Run) -> str | None:
    return NOTHING_BUILT if stands_as_of(run.settings, "features") is None else _put_back(run)


def _put_back(run: Run) -> str | None:
    """Why nothing is learnt or predicted on a warehouse that a backfill has left in the past."""
    with connect(run.settings, "ingest") as connection:
        gap = due.put_back(connection, run.as_of)
    if gap is None:
        return None
    now, before = (moment.isoformat() for moment in gap)
    return (
        f"The warehouse stands as of {now}, where a backfill left it; it has stood as of {before}, and the build after "
        "the next collection brings it back."
    )


_TABLE = (
    collecting(("fixtures",)),
    collecting(("odds",)),
    collecting(("scores",)),
    *(_announcing(kind, asset) for kind, asset in names.LANDING.items()),
    checking("landing"),
    _building("core", "Build teams, matches, results and prices.", follows="check_landing"),
    checking("core"),
    Step(
        "update_ratings", "Rate the teams after every new result.", _update_ratings, follows="build_core",
        stands=partial(_stands, "ratings"),
    ),
    _building("features", "Build features of every match from what was known before it.", follows="update_ratings"),
    checking("features"),
    _building("analytics", "Build the views that analysts, the API and the board read.", follows="check_features"),
    Step(
        names.BUILT, "Put features of the fixtures soon to be predicted into the online store.", _publish_features,
        follows="check_features",
        publishes=(names.FEATURES, names.RESULTS), news=news.built,
    ),
    searching(),
    tuning(),
    Step(
        "train", "Train, evaluate and register models, and decide on the champion.", _train, ("source", "mlflow"),
        idle=_nothing_built, inputs=_training_inputs, stands=_has_champion, confirm=_confirm_newest,
        publishes=(names.CHAMPION, names.CANDIDATE), news=news.models,
    ),
    predicting(),
    Step(
        "forecast_season", "Forecast how each competition's season ends, and settle those that have ended.",
        _forecast_season, ("source", "mlflow"), is_present=True, idle=_put_back, in_backfill="never",
        not_in_backfill=ONLY_BEFORE_KICKOFF,
    ),
    Step(
        "settle", "Score the predictions whose results are known.", _settle, is_present=True,
        inputs=lambda _, connection: due.last_build(connection), always=True, publishes=(names.SETTLED,),
        news=news.settled,
    ),
    Step(
        "measure_drift", "Measure whether the champion or its features have drifted.", _measure_drift,
        ("source", "mlflow"), is_present=True, publishes=(names.DRIFT,), news=news.alarms,
    ),
    Step(
        "report_models", "Report skill, calibration, drift, champions and worst misses.", _report_models,
        ("source", "mlflow"), is_present=True, idle=_nothing_built,
    ),
    replace(
        _building("analytics", "Build the views again when the wall clock has moved on since the build.", None),
        name="refresh_analytics", is_present=True, idle=_clock_stands_still,
    ),
    *(all_collected(kind) for kind in names.LANDING),
    all_predicted(),
    predicted_in_time(),
    promoting(),
    Step(
        "forget_logs", "Delete old logs of tasks.", _forget_logs, (), in_backfill="never",
        not_in_backfill=DELETED_NOW,
    ),
    Step(
        "forget_runs", "Delete old runs, tasks and events of Airflow's metadata.", _forget_runs, (),
        in_backfill="never", not_in_backfill=DELETED_NOW,
    ),
    Step(
        "forget_uses", "Delete old uses of keys of the API.", _forget_uses, (), in_backfill="never",
        not_in_backfill=DELETED_NOW,
    ),
    Step(
        "back_up", "Take a backup, incremental where it can be.", _back_up, (), idle=_backups_are_off,
        in_backfill="never", not_in_backfill=AS_IT_IS_NOW,
    ),
    Step(
        "check_backup", "Restore the backup into a scratch server and compare every table with the source.",
        _check_backup, (), idle=_backups_are_off, in_backfill="never", not_in_backfill=AS_IT_IS_NOW,
    ),
)  # fmt: skip
STEPS: Mapping[str, Step] = {step.name: step for step in _TABLE}
