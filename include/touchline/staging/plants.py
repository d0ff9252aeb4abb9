"""Faults that are planted on purpose, so that a validation shows that it would find them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from touchline.database.engine import connect, rows
from touchline.errors import ValidationImpossible
from touchline.settings import PROJECT_ROOT
from touchline.staging.installation import Installation

LATE_PREDICTION: Final = "late-prediction"
GATE_DISABLED: Final = "gate-disabled"
PLANTS: Final = (LATE_PREDICTION, GATE_DISABLED)
# What an installation runs of the project.
RUN: Final = (
    "include",
    "dags",
    "plugins",
    "config",
    "dbt_project",
    "docker",
    "airflow.cfg",
    "pyproject.toml",
)
# After so many moments.
MOMENTS_BEFORE: Final = 2
GATE: Final = "include/touchline/quality/gates.py"
CHECK: Final = "    found = screen(settings, as_of, run_id)\n    suites = landing_suites("
UNCHECKED: Final = '    return GateReport("landing", 0, 0, 0, {}, (), None)\n' + CHECK
# What an owner of the database can do, who wants a prediction in the ledger that was made after kick-off.
FORCE: Final = """
alter table ledger.prediction drop constraint predicted_before_kickoff;
alter table ledger.prediction disable trigger check_match;
insert into ledger.prediction ({written})
select {forged}
from ledger.prediction as original
cross join lateral jsonb_populate_record(
    original,
    jsonb_build_object('prediction_id', gen_random_uuid(), 'predicted_at', kickoff_at + interval '1 minute',
        'recorded_at', clock_timestamp(), 'run_id', 'planted')
) as forged
order by original.predicted_at desc limit 1;
"""
COLUMNS: Final = """
select string_agg(format('%I', column_name), ', ' order by ordinal_position) as written,
    string_agg(format('forged.%I', column_name), ', ' order by ordinal_position) as forged
from information_schema.columns
where table_schema = 'ledger' and table_name = 'prediction' and is_generated = 'NEVER'
"""


@dataclass(frozen=True)
class Plant:
    """A fault by name; `code` is the folder of the project that the installation runs."""

    name: str
    code: Path = PROJECT_ROOT

    def is_due(self, n_moments: int) -> bool:
        """Whether it is to be planted now, after so many moments."""
        return self.name == LATE_PREDICTION and n_moments == MOMENTS_BEFORE

    def act(self, installation: Installation) -> None:
        """Force a prediction that was made after kick-off into the ledger of an installation of ours."""
        with connect(installation.settings, "owner") as connection:
            (columns,) = rows(connection, COLUMNS)
            connection.execute(FORCE.format(**columns))


def prepared(name: str, folder: Path) -> Plant:
    """A fault that is ready to be planted; a disabled gate is one of a copy of the project, in a folder.

    Raises ValidationImpossible for a name that is none.
    """
    if name not in PLANTS:
        raise ValidationImpossible(f"there is no fault {name!r} to plant; there are {', '.join(PLANTS)}")
    if name == LATE_PREDICTION:
        return Plant(name)
    for part in RUN:
        source = PROJECT_ROOT / part
        if source.is_dir():
            shutil.copytree(
                source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "target", "logs")
            )
        else:
            shutil.copy(source, folder / part)
    path = folder / GATE
    text = path.read_text()
    if CHECK not in text:
        raise ValidationImpossible(f"{GATE} has changed: the gate that is to be disabled is not where it was")
    path.write_text(text.replace(CHECK, UNCHECKED))
    return Plant(name, folder)
