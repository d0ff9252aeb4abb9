"""The assets by which our DAGs start one another. Names are those of `touchline.operations.names`.

A producing task lists the alias of its asset as outlet and adds an event only when there is something new, so
that a run with nothing to do is a success that starts nothing.
"""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

from touchline.operations import names

ASSETS = {name: Asset(name=name, uri=f"touchline://{name}", group="touchline") for name in names.ASSETS}
WHEN_NEW = {name: AssetAlias(name=f"{name} when new", group="touchline") for name in names.ASSETS}

LANDING_FIXTURES = ASSETS[names.LANDING_FIXTURES]
LANDING_ODDS = ASSETS[names.LANDING_ODDS]
LANDING_SCORES = ASSETS[names.LANDING_SCORES]
FEATURES = ASSETS[names.FEATURES]
RESULTS = ASSETS[names.RESULTS]
TUNED = ASSETS[names.TUNED]
CHAMPION = ASSETS[names.CHAMPION]
CANDIDATE = ASSETS[names.CANDIDATE]
DRIFT = ASSETS[names.DRIFT]
