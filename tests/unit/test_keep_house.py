"""Logs of tasks are kept as long as the settings say."""

from __future__ import annotations

import os
import time
from pathlib import Path

from touchline.operations.house import forget_logs

DAY = 24 * 60 * 60


def age(path: Path, days: float) -> None:
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))


def log(home: Path, run: str, days: float) -> Path:
    path = (
        home
        / "airflow"
        / "logs"
        / "dag_id=collect_odds"
        / f"run_id={run}"
        / "task_id=collect"
        / "attempt=1.log"
    )
    path.parent.mkdir(parents=True)
    path.write_text("collected")
    age(path, days)
    return path


def test_logs_to_which_nothing_was_added_for_so_long_go(tmp_path: Path):
    old, new = log(tmp_path, "old", 30.1), log(tmp_path, "new", 29.9)
    stamp = tmp_path / "airflow" / "migrated.json"
    stamp.touch()
    age(stamp, 400)
    report = forget_logs(tmp_path, 30)
    assert (report.n_files, report.n_bytes) == (1, len("collected"))
    assert "1 log(s) of tasks, older than 30 days" in report.summary
    assert (old.exists(), new.exists(), stamp.exists()) == (False, True, True)
    assert forget_logs(tmp_path, 30).n_files == 0


def test_an_empty_folder_stays_while_a_task_may_be_about_to_write_into_it(tmp_path: Path):
    old = log(tmp_path, "old", 31)
    forget_logs(tmp_path, 30)
    assert old.parent.exists()
    for folder in (old.parent, old.parent.parent):
        age(folder, 31)
    forget_logs(tmp_path, 30)
    assert not old.parent.exists()


def test_a_home_without_airflow_has_no_logs(tmp_path: Path):
    assert forget_logs(tmp_path, 30).n_files == 0
