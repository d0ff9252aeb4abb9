"""Next to last of `mp_forkserver_preload` in airflow.cfg: what every task would do first is done once for all of them.

The work of the steps is loaded, and dbt's project parsed, so that a task finds both in the memory that it is forked
with. A task that finds other files of the project, or another database, parses them itself.
"""

import importlib
import logging
from typing import Final

from touchline.settings import read_settings
from touchline.warehouse.invocation import parsed_project

# Steps import what they need when they run (operations/steps.py).
WORK: Final = (
    "landing.collect", "quality.gates", "ratings.update", "warehouse.build", "features.store", "anomalies.search",
    "registry.training", "ledger.predict", "ledger.settle", "monitoring.drift", "monitoring.shortfalls",
)  # fmt: skip

for name in WORK:
    importlib.import_module(f"touchline.{name}")
try:
    parsed_project(read_settings())
# Whatever it is, no task would start; the one that needs the project says so where somebody looks.
except Exception as error:
    logging.getLogger(__name__).warning("dbt's project is not parsed ahead: %s", error)
