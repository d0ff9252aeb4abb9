"""Write the quality report of a day: into MLflow, and into a folder of the home."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from touchline.forecasting.report.blocks import (
    Banner,
    Block,
    Heading,
    Link,
    Paragraph,
    Picture,
    Points,
    Table,
    html_page,
    markdown_page,
)
from touchline.model_reports import history_sections, skill_sections
from touchline.model_reports.evidence import RECENT_DAYS, Evidence, read_evidence, seen_by
from touchline.model_reports.wording import minute
from touchline.registry.models import trained_versions
from touchline.registry.tracking import Registry
from touchline.serving.model_reports import reports_folder
from touchline.settings import Settings

TITLE: Final = "Quality of the models"
INDEX: Final = "index"
# Tags of the MLflow run: which day's report it is, and as of when it was written last.
REPORT_ON, AS_OF = "report_on", "as_of"
OF_A_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\.html")


@dataclass(frozen=True)
class ModelsReported:
    """What was written. `report_on` is the day (UTC) whose report it is; `n_settled` the predictions it rests on."""

    as_of: str
    report_on: str
    n_settled: int
    mlflow_run_id: str

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        return (
            f"Quality report of {self.report_on}, as of {self.as_of}, on {self.n_settled:,} settled predictions: on "
            f"the board's page of the models, and in MLflow's run {self.mlflow_run_id}."
        )


def report_models(settings: Settings, as_of: datetime, run_id: str, registry: Registry) -> ModelsReported:
    """Write the report as of `as_of` (UTC) to MLflow, and to `reports/models` of the home with a list of all.

    There is one report a day: a later one of the same day takes its place, and the same `as_of` writes the same.
    Raises ServiceFailed when MLflow does not answer.
    """
    evidence = read_evidence(settings, as_of, trained_versions(registry))
    blocks = tuple(report_blocks(evidence, settings))
    day = f"{as_of:%Y-%m-%d}"
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder), day, blocks)
        mlflow_run_id = _log(registry, Path(folder), day, as_of, run_id)
        _keep(Path(folder), reports_folder(settings))
    return ModelsReported(as_of.isoformat(), day, len(evidence.settled), mlflow_run_id)


def report_blocks(evidence: Evidence, settings: Settings) -> Iterator[Block]:
    """The report: the answers first, then what they rest on."""
    if settings.is_simulated:
        yield Banner("SIMULATED football: teams, results and prices are invented")
    yield Heading(TITLE, 1)
    settled = evidence.settled
    if settled.empty:
        yield Paragraph(
            f"As of {minute(evidence.as_of)} UTC. No prediction of a champion is settled yet, so nothing can be said "
            "of skill and calibration: predictions are scored by the step settle when their results are in."
        )
    else:
        yield Paragraph(
            f"As of {minute(evidence.as_of)} UTC, on {len(settled):,} settled predictions of champions of "
            f"{settings.model_name}: {settled['competition'].nunique()} competitions, kick-offs from "
            f"{minute(settled['kickoff_at'].min())} to {minute(settled['kickoff_at'].max())}."
        )
    yield Heading("In short")
    yield Points(tuple(skill_sections.in_short(evidence)))
    if not settled.empty:
        yield from skill_sections.skill(evidence)
        yield from skill_sections.calibration(evidence, settings)
    yield from history_sections.drift(evidence)
    yield from history_sections.champions(evidence)
    if not settled.empty:
        worst = evidence.worst(RECENT_DAYS)
        yield from history_sections.misses(worst, seen_by(settings, worst["prediction_id"].tolist()))


def _write(folder: Path, day: str, blocks: tuple[Block, ...]) -> None:
    pictures = [block for block in blocks if isinstance(block, Picture)]
    for each in pictures:
        (folder / day).mkdir(exist_ok=True)
        (folder / day / f"{each.name}.png").write_bytes(each.png)
    (folder / f"{day}.md").write_text(markdown_page(blocks, day), encoding="utf-8")
    (folder / f"{day}.html").write_text(html_page(f"{TITLE}, {day}", blocks), encoding="utf-8")


def _log(registry: Registry, folder: Path, day: str, as_of: datetime, run_id: str) -> str:
    """Put the files into the day's run of the experiment of reports, which is made if needed; returns its id."""
    import mlflow

    experiment = mlflow.set_experiment(f"{registry.model_name} reports").experiment_id
    found = registry.client.search_runs([experiment], f"tags.{REPORT_ON} = '{day}'", max_results=1)
    run = found[0] if found else registry.client.create_run(
        experiment, tags={REPORT_ON: day, "pipeline_run_id": run_id}, run_name=day
    )  # fmt: skip
    registry.client.log_artifacts(run.info.run_id, str(folder))
    registry.client.set_tag(run.info.run_id, AS_OF, as_of.isoformat())
    registry.client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _keep(written: Path, folder: Path) -> None:
    """Put the files into the folder of the home, each at once, and renew the list of all reports in it."""
    folder.mkdir(parents=True, exist_ok=True)
    days = sorted(
        {
            each.stem
            for place in (folder, written)
            for each in place.iterdir()
            if OF_A_DAY.fullmatch(each.name)
        }
    )
    rows = tuple((Link(day, f"{day}.html"), Link("Markdown", f"{day}.md")) for day in reversed(days))
    blocks = (Heading(f"{TITLE}: reports", 1), Table("The latest first", ("day (UTC)", ""), rows))
    (written / f"{INDEX}.html").write_text(html_page(TITLE, blocks), encoding="utf-8")
    (written / f"{INDEX}.md").write_text(markdown_page(blocks, ""), encoding="utf-8")
    for path in sorted(written.rglob("*")):
        kept = folder / path.relative_to(written)
        if path.is_dir():
            kept.mkdir(exist_ok=True)
            continue
        draft = kept.with_name(f".{kept.name}.draft")
        shutil.copyfile(path, draft)
        draft.replace(kept)
