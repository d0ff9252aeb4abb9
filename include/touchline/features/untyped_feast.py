"""Feast without typeguard, which would rewrite its classes while they load to check types: five of seven seconds."""

from __future__ import annotations

import typeguard

_checked = typeguard.typechecked
typeguard.typechecked = lambda target: target  # type: ignore[assignment]
try:
    from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, RepoConfig, ValueType
    from feast.infra.offline_stores.contrib.postgres_offline_store.postgres import PostgreSQLOfflineStore
    from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource
    from feast.infra.online_stores.postgres_online_store.postgres import PostgreSQLOnlineStore
    from feast.types import Float64
finally:
    typeguard.typechecked = _checked

__all__ = [
    "Entity", "FeatureService", "FeatureStore", "FeatureView", "Field", "Float64",
    "PostgreSQLOfflineStore", "PostgreSQLOnlineStore", "PostgreSQLSource", "RepoConfig", "ValueType",
]  # fmt: skip
