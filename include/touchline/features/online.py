"""Read features for prediction: from the online store, or from the offline tables when that fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pandas as pd

from touchline.database.engine import connect, rows
from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import FEATURES, GROUPS
from touchline.features.store import SERVICE, open_store
from touchline.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureRead:
    """Features by match: `frame` is indexed by match_id (text), columns are FEATURES (float, NaN when unknown)."""

    frame: pd.DataFrame
    store: Literal["online", "offline"]


def read_features(settings: Settings, match_ids: Sequence[str], as_of: datetime) -> FeatureRead:
    """Features of fixtures as of the last build, at or before `as_of`.

    Falls back to the offline table, with a warning, when the online store does not answer, lacks a match, or holds
    an older (or, for a replay, a later) state than the last build. Raises FeaturesUnavailable when the offline table
    cannot give them either.
    """
    wanted = list(dict.fromkeys(str(match_id) for match_id in match_ids))
    if not wanted:
        return FeatureRead(pd.DataFrame(columns=list(FEATURES), dtype="float64"), "online")
    try:
        return FeatureRead(_read_online(settings, wanted, as_of), "online")
    # Whatever is wrong with the online store, the offline tables hold the same rows.
    except Exception as error:
        log.warning("the online feature store failed (%s: %s); reading offline", type(error).__name__, error)
    return FeatureRead(_read_offline(settings, wanted, as_of), "offline")


def _read_online(settings: Settings, match_ids: Sequence[str], as_of: datetime) -> pd.DataFrame:
    store = open_store(settings, "model")
    found: pd.DataFrame = store.get_online_features(
        features=store.get_feature_service(SERVICE), entity_rows=[{"match_id": name} for name in match_ids]
    ).to_df(include_event_timestamps=True)
    found = found.set_index("match_id").loc[list(match_ids)]
    # A view's features of a match are written together, so the first one's time holds for all. In whole seconds.
    published_at = found[[f"{names[0]}__ts" for names in GROUPS.values()]]
    missing = (published_at == 0).any(axis="columns")
    if missing.any():
        raise FeaturesUnavailable(f"{missing.sum()} of {len(match_ids)} matches are not in the online store")
    if published_at.to_numpy().max() > as_of.timestamp():
        raise FeaturesUnavailable(f"the online store was published after {as_of.isoformat()}")
    built_at = pd.Series(_built_at(settings, match_ids), dtype="float64").reindex(found.index)
    stale = published_at.lt(built_at, axis="index").any(axis="columns")
    if stale.any():
        raise FeaturesUnavailable(
            f"{stale.sum()} of {len(match_ids)} matches are older online than the last build"
        )
    return found[list(FEATURES)].astype("float64")


def _built_at(settings: Settings, match_ids: Sequence[str]) -> dict[str, float]:
    """Whole seconds since 1970 of features_as_of, by match; empty, with a warning, when that cannot be read."""
    try:
        with connect(settings, "model") as connection:
            found = rows(
                connection,
                "select match_id::text as match_id, floor(extract(epoch from features_as_of))::float8 as built_at "
                "from features.match_features where match_id = any(%s::uuid[])",
                (list(match_ids),),
            )
    # The online rows can be used, but we cannot check whether they are the latest.
    except Exception as error:
        log.warning(
            "features.match_features cannot be read (%s); the online rows are taken as they are", error
        )
        return {}
    return {row["match_id"]: row["built_at"] for row in found}


def _read_offline(settings: Settings, match_ids: Sequence[str], as_of: datetime) -> pd.DataFrame:
    try:
        with connect(settings, "model") as connection:
            found = rows(
                connection,
                f"select match_id::text as match_id, {', '.join(FEATURES)} from features.match_features "  # noqa: S608
                "where match_id = any(%s::uuid[]) and features_as_of <= %s",
                (list(match_ids), as_of),
            )
    except Exception as error:
        raise FeaturesUnavailable(
            f"neither the online store nor features.match_features can be read ({error}); run `touchline build`"
        ) from error
    frame = pd.DataFrame(found, columns=["match_id", *FEATURES]).set_index("match_id")
    missing = sorted(set(match_ids) - set(frame.index))
    if missing:
        raise FeaturesUnavailable(
            f"no features as of {as_of.isoformat()} for {len(missing)} matches (first: {missing[0]}); "
            "run `touchline build`"
        )
    return frame.loc[list(match_ids), list(FEATURES)].astype("float64")
