"""The steps of the pipeline, one function a task: each finds its clock, does its part once, and records it.

A step that is settled for its inputs (what has landed, as of when, with which code) does nothing again. Which
assets a step has made new is read from the records too, so that a consumer that died is told again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from touchline.clock import RunClock, live_clock
from touchline.database.engine import connect
from touchline.errors import SourceUnavailable
from touchline.operations import names, records
from touchline.operations.code import code_digest
from touchline.operations.edge import run_clock
from touchline.settings import Settings
from touchline.warehouse.changes import PlannedLayer, stands_as_of

if TYPE_CHECKING:
    from touchline.sources.source import Kind

log = logging.getLogger(__name__)

# With the wall clock every collection has a new as_of; features of fixtures are made anew this often at least.
LIVE_REBUILD_AFTER = timedelta(hours=6)
# Without `detect_anomalies`, which nothing waits for: a search that failed leaves no build to be done.
BUILD_STEPS = (
    "check_landing", "build_core", "update_ratings", "build_features", "check_features", "build_analytics",
    "publish_features",
)  # fmt: skip
BUILT = BUILD_STEPS[-1]
LANDING_ASSETS: dict[Kind, str] = {
    "fixtures": names.LANDING_FIXTURES,
    "odds": names.LANDING_ODDS,
    "scores": names.LANDING_SCORES,
}


NOTHING_BUILT = "Nothing is built yet, so there is nothing to learn from; build_warehouse comes first."


@dataclass(frozen=True)
class StepOutcome:
    """What a step did: `as_of` for the steps after it, and the assets whose consumers have something to do.

    `reasons` says of an asset why it is new, one event for each; an asset without any gets one event.
    """

    step: str
    as_of: str
    summary: str
    is_repeat: bool = False
    new_assets: tuple[str, ...] = ()
    reasons: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)


def sources_giving(settings: Settings, kind: Kind) -> list[str]:
    """Names of the sources in use that give a kind of facts, in the order in which they are asked.

    Raises SourceUnavailable when there is none.
    """
    from touchline.sources.registry import sources_giving as giving

    found = giving(settings, kind)
    if not found:
        raise SourceUnavailable(
            f"no source in use gives {kind}: set TOUCHLINE_<SOURCE>_KEY, or see config/sources.yaml"
        )
    return found


def sources_with_keys(settings: Settings) -> list[str]:
    """Names of the configured sources that need a key."""
    from touchline.sources.configuration import read_configuration

    configured = read_configuration(settings.sources_file).sources
    return [name for name, source in configured.items() if source.needs_key]


def collect(
    settings: Settings, run_id: str, as_of: datetime | None = None, *, kind: Kind, source: str | None = None,
    window: tuple[date, date] | None = None,
) -> StepOutcome:  # fmt: skip
    """Fetch and land one kind of facts from one source (from all of them if none is named).

    `window` (two UK days, both included) asks for the matches of these days instead of what is offered now.
    """
    from touchline.landing.collect import collect as collect_from

    clock = run_clock(settings, as_of)
    step = f"collect_{kind}" if source is None else f"collect_{kind}/{source}"
    only = () if source is None else (source,)
    with records.recorded(settings, step, run_id, clock.as_of) as detail:
        report = collect_from(settings, clock, run_id, (kind,), only=only, window=window)
        detail.update(_plain(report))
        if window is not None and report.problems:
            # Another try asks only for what is missing, and nobody takes a day for done that is not.
            raise SourceUnavailable(
                f"{len(report.problems)} requests of {window[0]} failed: {report.problems[0]}"
            )
        return _told(StepOutcome(step, clock.as_of.isoformat(), report.summary))


def announce_landing(
    settings: Settings, run_id: str, as_of: datetime | None = None, *, kind: Kind
) -> StepOutcome:
    """Say that facts of a kind have landed: new when the warehouse, or what follows it, is behind."""
    del run_id
    clock = run_clock(settings, as_of)
    is_behind = _warehouse_is_behind(settings, clock)
    summary = "The warehouse has something to do." if is_behind else "The warehouse has seen everything."
    new = (LANDING_ASSETS[kind],) if is_behind else ()
    return _told(StepOutcome(f"announce_{kind}", clock.as_of.isoformat(), summary, new_assets=new))


def check_landing(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """The quality gate on what has landed; the first step of a build fixes its `as_of`."""
    from touchline.quality.gates import check_landing as gate

    return _build_step(
        settings, "check_landing", run_id, as_of, lambda moment: gate(settings, moment, run_id)
    )


def build_core(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Teams, matches, results and prices."""
    return _build_layer(settings, "core", run_id, as_of)


def update_ratings(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Elo and pi-ratings after every new result."""
    from touchline.ratings.update import update_ratings as update

    return _build_step(
        settings, "update_ratings", run_id, as_of, lambda moment: update(settings, moment, run_id), "ratings"
    )


def build_features(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Features of every match, from what was known before it."""
    return _build_layer(settings, "features", run_id, as_of)


def check_features(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """The quality gate on core and features."""
    from touchline.quality.gates import check_features as gate

    return _build_step(
        settings, "check_features", run_id, as_of, lambda moment: gate(settings, moment, run_id)
    )


def detect_anomalies(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """What is unlike before in what became known since the last search; it warns, and stops nothing."""
    from touchline.anomalies.search import find_anomalies

    return _build_step(
        settings, "detect_anomalies", run_id, as_of, lambda moment: find_anomalies(settings, moment, run_id)
    )


def build_analytics(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """The views that analysts, the API and the board read."""
    return _build_layer(settings, "analytics", run_id, as_of)


def publish_features(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Fixtures' features into the online store; new are the assets whose consumers have not seen this build."""
    from touchline.features.store import publish_features as publish

    outcome = _build_step(settings, BUILT, run_id, as_of, lambda moment: publish(settings, moment, run_id))
    with connect(settings, "ingest") as connection:
        consumers = {names.FEATURES: "predict", names.RESULTS: "settle"}
        new = tuple(asset for asset, step in consumers.items() if not _has_seen_build(connection, step))
    return dataclasses.replace(outcome, new_assets=new)


def tune(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Search for better parameters within the budget; what was found is new until models were trained with it."""
    from touchline.registry.tuning import last_tuning
    from touchline.registry.tuning import tune as tune_models
    from touchline.warehouse.changes import stands_as_of

    clock = run_clock(settings, as_of)
    outcome = StepOutcome("tune", clock.as_of.isoformat(), "Tuning is off: its budget is 0.", is_repeat=True)
    if settings.tuning_budget_seconds == 0:
        return _told(outcome)
    with connect(settings, "ingest") as connection:
        inputs = {"build": records.last_inputs(connection, BUILT)}
        is_repeat = records.last_inputs(connection, "tune") == inputs
    if stands_as_of(settings, "features") is None:
        return _told(dataclasses.replace(outcome, summary=NOTHING_BUILT))
    outcome = dataclasses.replace(outcome, summary="Tuned on this build already.", is_repeat=is_repeat)
    if not is_repeat:
        with records.recorded(settings, "tune", run_id, clock.as_of) as detail:
            report = tune_models(settings, clock.as_of, run_id, settings.tuning_budget_seconds)
            detail.update({**_plain(report), "inputs": inputs})
        outcome = dataclasses.replace(outcome, summary=report.summary)
    with connect(settings, "ingest") as connection:
        trained = records.last_inputs(connection, "train") or {}
    is_used = trained.get("tuning") == last_tuning(settings)
    return _told(dataclasses.replace(outcome, new_assets=() if is_used else (names.TUNED,)))


def train(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Train, evaluate and register; champion and challengers are new until they have predicted on this build."""
    from touchline.registry.models import champion_version, confirm_newest
    from touchline.registry.training import train as train_models
    from touchline.registry.tuning import last_tuning
    from touchline.warehouse.changes import stands_as_of

    clock = run_clock(settings, as_of)
    with connect(settings, "ingest") as connection:
        build, trained = records.last_inputs(connection, BUILT), records.last_inputs(connection, "train")
    if stands_as_of(settings, "features") is None:
        return _told(StepOutcome("train", clock.as_of.isoformat(), NOTHING_BUILT, is_repeat=True))
    is_repeat = (
        trained is not None
        and trained["build"] == build
        and champion_version(settings) is not None
        and trained.get("tuning") == last_tuning(settings)
    )
    outcome = StepOutcome(
        "train", clock.as_of.isoformat(), "Trained on this build already.", is_repeat=is_repeat
    )
    if is_repeat:
        # Whoever asked (an alarm, perhaps) has the answer that training anew would give.
        confirm_newest(settings, clock.as_of)
    else:
        with records.recorded(settings, "train", run_id, clock.as_of) as detail:
            inputs = {"build": build, "tuning": last_tuning(settings)}
            report = train_models(settings, clock.as_of, run_id)
            detail.update({**_plain(report), "inputs": inputs})
        outcome = dataclasses.replace(outcome, summary=report.summary)
    with connect(settings, "ingest") as connection:
        is_used = records.last_inputs(connection, "predict") == _prediction_inputs(settings, connection)
    return _told(dataclasses.replace(outcome, new_assets=() if is_used else (names.CHAMPION,)))


def predict(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Predictions of every fixture in the horizon into the ledger; none while there is no champion yet."""
    from touchline.ledger.predict import predict_matches

    clock = _present(settings, as_of)
    outcome = StepOutcome(
        "predict", clock.as_of.isoformat(), "There is no champion yet: `train_models` makes one."
    )
    with records.recorded(settings, "predict", run_id, clock.as_of) as detail:
        with connect(settings, "ingest") as connection:
            inputs = _prediction_inputs(settings, connection)
        if inputs["champion"] is not None:
            report = predict_matches(settings, clock, run_id)
            detail.update(_plain(report))
            outcome = dataclasses.replace(outcome, summary=report.summary, new_assets=(names.PREDICTIONS,))
        detail["inputs"] = inputs
    return _told(outcome)


def settle(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Scores of the predictions whose results are in."""
    from touchline.ledger.settle import settle_predictions

    clock = _present(settings, as_of)
    with records.recorded(settings, "settle", run_id, clock.as_of) as detail:
        with connect(settings, "ingest") as connection:
            inputs = {"build": records.last_inputs(connection, BUILT)}
        report = settle_predictions(settings, clock, run_id)
        detail.update({**_plain(report), "inputs": inputs})
        outcome = StepOutcome("settle", clock.as_of.isoformat(), report.summary, new_assets=(names.SETTLED,))
        return _told(outcome)


def measure_drift(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """Whether champion and features are still what they were; drift is new with each alarm, which gives the reason."""
    from touchline.monitoring.drift import measure_drift as measure

    clock = _present(settings, as_of)
    with records.recorded(settings, "measure_drift", run_id, clock.as_of) as detail:
        report = measure(settings, clock, run_id)
        detail.update({"n_findings": len(report.findings), "not_judged": report.not_judged})
    reasons = tuple(
        {"metric": each.metric, "subject": each.subject, "value": each.value, "threshold": each.threshold}
        for each in report.alarms
    )
    outcome = StepOutcome("measure_drift", clock.as_of.isoformat(), report.summary)
    if reasons:
        outcome = dataclasses.replace(outcome, new_assets=(names.DRIFT,), reasons={names.DRIFT: reasons})
    return _told(outcome)


def refresh_analytics(settings: Settings, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    """The views again where the wall clock has moved on since the build: what was just written is in them."""
    from touchline.warehouse.build import build_layer

    clock = _present(settings, as_of)
    step = "refresh_analytics"
    if clock.mode == "virtual":
        return _told(StepOutcome(step, clock.as_of.isoformat(), "The clock stands still.", is_repeat=True))
    with records.recorded(settings, step, run_id, clock.as_of) as detail:
        report = build_layer(settings, "analytics", clock.as_of, run_id)
        detail.update(_plain(report))
    return _told(StepOutcome(step, clock.as_of.isoformat(), report.summary))


def _build_layer(settings: Settings, layer: Any, run_id: str, as_of: datetime | None) -> StepOutcome:
    from touchline.warehouse.build import build_layer

    return _build_step(
        settings, f"build_{layer}", run_id, as_of,
        lambda moment: build_layer(settings, layer, moment, run_id), layer,
    )  # fmt: skip


def _build_step(
    settings: Settings, step: str, run_id: str, as_of: datetime | None, work: Callable[[datetime], Any],
    layer: PlannedLayer | None = None,
) -> StepOutcome:  # fmt: skip
    """Do a step of the build unless it is settled for what has landed, `as_of` and the code.

    A layer that does not stand (a build in full was begun by hand, and died) is built all the same.
    """
    moment = run_clock(settings, as_of).as_of
    with connect(settings, "ingest") as connection:
        inputs = _build_inputs(connection, moment)
        is_repeat = records.last_inputs(connection, step) == inputs
    if is_repeat and (layer is None or stands_as_of(settings, layer) is not None):
        return _told(
            StepOutcome(step, moment.isoformat(), "Nothing new since the last time.", is_repeat=True)
        )
    with records.recorded(settings, step, run_id, moment) as detail:
        report = work(moment)
        detail.update({**_plain(report), "inputs": inputs})
    return _told(StepOutcome(step, moment.isoformat(), report.summary))


def _build_inputs(connection: Any, as_of: datetime) -> dict[str, Any]:
    return {
        "landing": records.landing_watermark(connection, as_of),
        "replays": records.replay_watermark(connection, as_of),
        "as_of": as_of.isoformat(),
        "code": code_digest(),
    }


def _prediction_inputs(settings: Settings, connection: Any) -> dict[str, Any]:
    from touchline.registry.models import challenger_versions, champion_version

    return {
        "build": records.last_inputs(connection, BUILT),
        "champion": champion_version(settings),
        "challengers": list(challenger_versions(settings)),
    }


def _has_seen_build(connection: Any, step: str) -> bool:
    """True when a consumer of the build has succeeded with the last one."""
    seen, built = records.last_inputs(connection, step), records.last_inputs(connection, BUILT)
    return seen is not None and built is not None and seen["build"] == built


def _warehouse_is_behind(settings: Settings, clock: RunClock) -> bool:
    with connect(settings, "ingest") as connection:
        wanted = _build_inputs(connection, clock.as_of)
        settled = [records.last_inputs(connection, step) for step in BUILD_STEPS]
        consumed = all(_has_seen_build(connection, step) for step in ("predict", "settle"))
    if not consumed or any(inputs != settled[-1] for inputs in settled) or settled[-1] is None:
        return True
    built = settled[-1]
    moved = abs(clock.as_of - datetime.fromisoformat(built["as_of"]))
    is_old = moved >= LIVE_REBUILD_AFTER if clock.mode == "live" else bool(moved)
    return is_old or any(wanted[name] != built[name] for name in ("landing", "replays", "code"))


def _present(settings: Settings, as_of: datetime | None) -> RunClock:
    """As `run_clock`, but with the wall clock the present itself: a prediction is made now, or not at all."""
    clock = run_clock(settings, as_of)
    return live_clock() if clock.mode == "live" else clock


def _plain(report: Any) -> dict[str, Any]:
    """A report's own numbers; its lists of files and findings have tables of their own."""
    return {
        name: value for name, value in dataclasses.asdict(report).items() if name not in ("files", "findings")
    }


def _told(outcome: StepOutcome) -> StepOutcome:
    log.info("%s", outcome.summary)
    return outcome
