"""The Feast repository, in code: one entity (a match), one view a feature group, one feature service.

Offline and online store are both the warehouse's PostgreSQL; online tables live in the schema `feast`.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from touchline.database.engine import connect, rows, scalar
from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import GROUPS
from touchline.settings import Role, Settings

SERVICE = "match_result"
# A fixture's features stay readable this long; a match is played well within it.
TIME_TO_LIVE = timedelta(days=400)
# Publishing takes rows of this instant only: those of fixtures as of the build.
SLACK = timedelta(seconds=1)


@dataclass(frozen=True)
class PublishReport:
    """What was put into the online store."""

    as_of: str
    n_fixtures: int
    n_features: int

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        return (
            f"Published {self.n_features} features of {self.n_fixtures} fixtures as of {self.as_of} online."
        )


def open_store(settings: Settings, role: Role) -> Any:
    """A feast.FeatureStore that acts with the rights of `role`.

    Its registry is a file below the installation's home; the definitions are this module, so where that file is
    missing they are applied again, at next to no cost.
    """
    registry = _registry(settings)
    if role != "transform" and not registry.exists():
        open_store(settings, "transform").apply(definitions())
    return _feast_store(settings, role)


def _registry(settings: Settings) -> Path:
    return settings.home / "feast" / settings.warehouse_database / "registry.db"


def _feast_store(settings: Settings, role: Role) -> Any:
    from feast import FeatureStore, RepoConfig

    registry = _registry(settings)
    registry.parent.mkdir(parents=True, exist_ok=True)
    parts = urlsplit(settings.url(role))
    connection = {
        "host": parts.hostname,
        "port": parts.port or 5432,
        "database": parts.path.lstrip("/"),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "sslmode": "prefer" if settings.database_url else "disable",
    }
    config = RepoConfig(
        project="touchline",
        provider="local",
        registry={"registry_type": "file", "path": str(registry), "cache_ttl_seconds": 0},
        offline_store={
            "type": "postgres", "db_schema": "features", "entity_select_mode": "embed_query", **connection,
        },
        online_store={"type": "postgres", "db_schema": "feast", **connection},
        entity_key_serialization_version=3,
        repo_path=str(registry.parent),
    )  # fmt: skip
    return FeatureStore(config=config)


def definitions() -> list[Any]:
    """Everything `feast apply` would register."""
    from feast import Entity, FeatureService, FeatureView, Field, ValueType
    from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource
    from feast.types import Float64

    match = Entity(
        name="match", join_keys=["match_id"], value_type=ValueType.STRING, description="One match."
    )
    views = [
        FeatureView(
            name=group,
            entities=[match],
            ttl=TIME_TO_LIVE,
            schema=[Field(name=name, dtype=Float64) for name in names],
            source=PostgreSQLSource(
                name=f"{group}_source",
                query=f"select match_id::text as match_id, features_as_of, {', '.join(names)} "  # noqa: S608
                "from features.match_features",
                timestamp_field="features_as_of",
            ),
            description=f"Features of a match known just before kick-off: {group.removeprefix('match_')}.",
        )
        for group, names in GROUPS.items()
    ]
    service = FeatureService(
        name=SERVICE, features=[*views], description="Everything the match result models read."
    )
    return [match, *views, service]


def publish_features(settings: Settings, as_of: datetime, run_id: str) -> PublishReport:
    """Register the definitions and put the features of all fixtures ahead into the online store.

    features.match_features must have been built as of `as_of`. The same call twice leaves the same store.
    Raises FeaturesUnavailable when the table was built as of another instant.
    """
    del run_id
    store = open_store(settings, "transform")
    store.apply(definitions())
    with connect(settings, "transform") as connection:
        n_fixtures = scalar(
            connection, "select count(*) from features.match_features where features_as_of = %s", (as_of,)
        )
        ahead = rows(
            connection,
            "select max(features_as_of) as built_as_of from features.match_features where kickoff_at > features_as_of "
            "+ interval '1 minute'",
        )
    built_as_of = ahead[0]["built_as_of"]
    if built_as_of is not None and built_as_of != as_of and n_fixtures == 0:
        raise FeaturesUnavailable(
            f"features were built as of {built_as_of.isoformat()}, not {as_of.isoformat()}: run `touchline build`"
        )
    # Feast reports its progress on standard output, which belongs to the caller.
    with contextlib.redirect_stdout(io.StringIO()):
        store.materialize(start_date=as_of - SLACK, end_date=as_of, force=True)
    return PublishReport(as_of.isoformat(), n_fixtures, sum(len(names) for names in GROUPS.values()))
