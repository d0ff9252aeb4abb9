"""Next to last of `mp_forkserver_preload` in airflow.cfg: what every task would do first is done once for all of them.

dbt's project is parsed here, so that a task finds the parsed one in the memory that it is forked with. A task that
finds other files, or another database, parses them itself.
"""

import logging

from touchline.errors import TouchlineError
from touchline.settings import read_settings
from touchline.warehouse.invocation import parsed_project

try:
    parsed_project(read_settings())
except TouchlineError as error:
    # The task that needs it says so where somebody looks.
    logging.getLogger(__name__).warning("dbt's project is not parsed ahead: %s", error)
