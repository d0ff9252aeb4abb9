"""First of `mp_forkserver_preload` in airflow.cfg: nobody looks for garbage among libraries while they load."""

import gc

gc.disable()
