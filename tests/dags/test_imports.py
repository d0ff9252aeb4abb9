"""What the reading of DAG files loads: every process of Airflow does it, again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from touchline.operations import names
from touchline.settings import PROJECT_ROOT

# What reading a DAG file needs beside Airflow: names, settings and the steps, not what the steps work with.
UNWANTED = {
    "alembic", "dbt", "feast", "great_expectations", "lightgbm", "mlflow", "numba", "optuna", "pandas", "polars",
    "pyarrow", "scipy", "sklearn",
}  # fmt: skip
CODE = """
import json, sys
import airflow.sdk, airflow.sdk.execution_time.context
import airflow.providers.openlineage.plugins.adapter, airflow.providers.common.compat.lineage.hook
before = set(sys.modules)
for name in sys.argv[1:]:
    __import__(name)
sys.stderr.write(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_a_dag_file_loads_nothing_that_its_steps_work_with():
    found = loaded_by_reading(*names.DAGS)
    assert not {name.partition(".")[0] for name in found} & UNWANTED
    assert {name for name in found if name in names.DAGS} == set(names.DAGS)


def loaded_by_reading(*dags: str) -> set[str]:
    path = [str(PROJECT_ROOT / name) for name in ("include", "plugins", "dags")]
    done = subprocess.run(
        [sys.executable, "-c", CODE, *dags],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return set(json.loads(done.stderr.splitlines()[-1]))
