"""The Feast repository, in code: one entity (a match), one view a feature group, one feature service.

Offline and online store are both the warehouse's PostgreSQL; online tables live in the schema `feast`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import sql

from touchline.database.engine import connect, scalar
from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import CATALOGUE, GROUPS
from touchline.settings import Role, Settings

# Feast passes pandas a psycopg connection. It works, and users cannot change it, so the warning is no use to them.
warnings.filterwarnings("ignore", message="pandas only supports SQLAlchemy", category=UserWarning)

PROJECT = "touchline"
SERVICE = "match_result"
# How long a fixture's features stay readable; every match is played well before.
TIME_TO_LIVE = timedelta(days=400)
# A fixture comes into the horizon this long after a build, at the latest, before there is another.
SPARE_DAYS = 1
# Publishing takes only rows of the build's own instant, which are those of the fixtures ahead.
SLACK = timedelta(seconds=1)


@dataclass(frozen=True)
class PublishReport:
    """What was written to the online store."""

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

    Its registry is a file below the installation's home, named after a digest of the definitions. It is created when
    it is missing or the definitions have changed.
    """
    registry = _registry(settings)
    if not registry.exists():
        with _draft(registry) as draft:
            _feast_store(settings, "transform", draft).apply(definitions(settings.horizon_days))
    return _feast_store(settings, role, registry)


def _registry(settings: Settings) -> Path:
    defined = [(feature.group, feature.name, feature.text) for feature in CATALOGUE]
    fingerprint = hashlib.sha256(json.dumps([defined, settings.horizon_days]).encode()).hexdigest()[:12]
    return settings.home / "feast" / settings.warehouse_database / f"registry-{fingerprint}.db"


@contextlib.contextmanager
def _draft(registry: Path) -> Iterator[Path]:
    """A new registry that replaces `registry` atomically when complete, so that readers never see half of one."""
    registry.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=registry.parent) as folder:
        draft = Path(folder) / registry.name
        yield draft
        draft.replace(registry)


def _feast_store(settings: Settings, role: Role, registry: Path) -> Any:
    from touchline.features.untyped_feast import FeatureStore, RepoConfig

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
        project=PROJECT,
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


def definitions(horizon_days: int) -> list[Any]:
    """Everything `feast apply` would register.

    Of the fixtures ahead it has those that may be predicted before the next build: the rows of a whole season would
    take most of the time of a build to publish.
    """
    from touchline.features.untyped_feast import (
        Entity,
        FeatureService,
        FeatureView,
        Field,
        Float64,
        PostgreSQLSource,
        ValueType,
    )

    match = Entity(
        name="match", join_keys=["match_id"], value_type=ValueType.STRING, description="One match."
    )
    views = [
        FeatureView(
            name=group,
            entities=[match],
            ttl=TIME_TO_LIVE,
            schema=[
                Field(name=feature.name, dtype=Float64, description=feature.text)
                for feature in CATALOGUE
                if feature.group == group
            ],
            source=PostgreSQLSource(
                name=f"{group}_source",
                query=f"select match_id::text as match_id, features_as_of, {', '.join(names)} "  # noqa: S608
                f"from features.match_features "
                f"where kickoff_at <= features_as_of + interval '{horizon_days + SPARE_DAYS} days'",
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
    """Register the definitions and write the features of the fixtures soon to be predicted to the online store.

    features.match_features must have been built as of `as_of`. Rows of other builds are removed, so repeating the
    call changes nothing. Raises FeaturesUnavailable when the table was built as of another instant.
    """
    del run_id
    with connect(settings, "transform") as connection:
        n_fixtures = scalar(
            connection,
            "select count(*) from features.match_features "
            "where features_as_of = %s and kickoff_at <= features_as_of + make_interval(days => %s)",
            (as_of, settings.horizon_days + SPARE_DAYS),
        )
        # Only the rows of fixtures ahead are as of the build; other rows are as of their kick-off.
        built_as_of = scalar(
            connection,
            "select max(features_as_of) from features.match_features "
            "where features_as_of <> kickoff_at - interval '1 minute'",
        )
    if built_as_of is not None and built_as_of != as_of and n_fixtures == 0:
        raise FeaturesUnavailable(
            f"features were built as of {built_as_of.isoformat()}, not {as_of.isoformat()}: run `touchline build`"
        )
    from touchline.features.online_writes import CopyingStore

    # Feast reports its progress on standard output, which belongs to the caller.
    with _draft(_registry(settings)) as draft, contextlib.redirect_stdout(io.StringIO()):
        store = _feast_store(settings, "transform", draft)
        store.provider._online_store = CopyingStore()
        store.apply(definitions(settings.horizon_days))
        store.materialize(start_date=as_of - SLACK, end_date=as_of)
    _remove_other_builds(settings, as_of)
    return PublishReport(as_of.isoformat(), n_fixtures, sum(len(names) for names in GROUPS.values()))


def _remove_other_builds(settings: Settings, as_of: datetime) -> None:
    with connect(settings, "transform") as connection:
        for group in GROUPS:
            # Feast writes UTC without a zone, which is read in the session's time zone; do the same to compare.
            connection.execute(
                sql.SQL("delete from feast.{} where event_ts <> (%s at time zone 'UTC')::timestamptz").format(
                    sql.Identifier(f"{PROJECT}_{group}")
                ),
                (as_of,),
            )
