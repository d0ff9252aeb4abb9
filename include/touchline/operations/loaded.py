"""Last of `mp_forkserver_preload` in airflow.cfg: what was loaded stays, and no task looks through it for garbage."""

import gc

gc.freeze()
gc.enable()
