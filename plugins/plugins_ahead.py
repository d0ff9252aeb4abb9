"""One of `mp_forkserver_preload` in airflow.cfg, and no plugin itself (.airflowignore).

Every task looks through all installed packages for plugins, loads ours, and makes the listeners of OpenLineage: a
quarter of a second. Airflow remembers them in the process, so that tasks forked from here find them there.
"""

from airflow.sdk.listener import get_listener_manager

get_listener_manager()
