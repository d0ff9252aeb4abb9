"""Training data: features through Feast's point-in-time join, then results and closing prices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

import pandas as pd
import polars as pl
from sqlalchemy import create_engine

from touchline.database.engine import connect, scalar, sqlalchemy_url
from touchline.database.queries import query
from touchline.features.catalogue import FEATURES
from touchline.features.store import SERVICE, open_store
from touchline.settings import Settings

OUTCOMES = ("home", "draw", "away")


def training_frame(
    settings: Settings,
    as_of: datetime,
    since: datetime | None = None,
    competitions: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Played matches with their features as they stood just before kick-off, one row per match, in time order.

    Columns: match_id (text), competition, season, tier, kickoff_at (UTC), home_team, away_team, the FEATURES (float,
    NaN when unknown), home_goals, away_goals, outcome (0 home, 1 draw, 2 away), closing_price_* (consensus),
    closing_pinnacle_*, and the best price before kick-off (best_price_*) and at the close (best_closing_price_*): the
    highest of the market maximum and all bookmakers, decimal, NaN when there is none. None of these prices is a
    feature: closing prices are for scoring, best prices for betting in the backtest's report.
    `since` and `competitions` restrict the rows.
    """
    conditions = ["is_played"]
    if since is not None:
        conditions.append(f"kickoff_at >= '{since.isoformat()}'")
    if competitions is not None:
        # Feast takes the entity query as text, so values are quoted here; codes need no escaping.
        codes = ", ".join("'" + code.replace("'", "''") + "'" for code in competitions)
        conditions.append(f"competition in ({codes})")
    entities = (
        "select match_id::text as match_id, kickoff_at as event_timestamp from features.match_features "  # noqa: S608
        f"where {' and '.join(conditions)}"
    )
    features = _features_of(settings, entities)
    engine = create_engine(sqlalchemy_url(settings.url("model")))
    try:
        with engine.connect() as connection:
            labels = pd.read_sql_query(query("features/sql/labels"), connection, params={"as_of": as_of})
    finally:
        engine.dispose()
    frame = features.rename(columns={"event_timestamp": "kickoff_at"}).merge(labels, on="match_id")
    frame["kickoff_at"] = pd.to_datetime(frame["kickoff_at"], utc=True)
    frame[list(FEATURES)] = frame[list(FEATURES)].astype("float64")
    return frame.sort_values(["kickoff_at", "match_id"], ignore_index=True)


def _features_of(settings: Settings, entities: str) -> pd.DataFrame:
    with connect(settings, "model") as connection:
        is_empty = scalar(connection, f"select not exists ({entities})")
    if is_empty:
        # Feast cannot join features to an empty set of matches.
        return pd.DataFrame(columns=["match_id", "event_timestamp", *FEATURES])
    store = open_store(settings, "model")
    job = store.get_historical_features(entity_df=entities, features=store.get_feature_service(SERVICE))
    return _copied(settings, job.to_sql())


def _copied(settings: Settings, query: str) -> pd.DataFrame:
    """Run Feast's point-in-time join by COPY, because Feast itself makes a Python object of every number.

    Numbers are written with the fewest digits that read back to the same double.
    """
    lines = BytesIO()
    with connect(settings, "model") as connection, connection.cursor() as cursor:
        # The session must be in UTC, because Feast's query compares times without a zone.
        cursor.execute("set local time zone 'UTC'")
        with cursor.copy(f"copy ({query}) to stdout (format csv, header)") as copy:
            for block in copy:
                lines.write(block)
    texts = {"match_id": pl.String, "event_timestamp": pl.String}
    frame = pl.read_csv(lines.getvalue(), schema_overrides=texts, infer_schema=False)
    found: pd.DataFrame = frame.with_columns(pl.col(FEATURES).cast(pl.Float64)).to_pandas()
    found["event_timestamp"] = pd.to_datetime(found["event_timestamp"], utc=True, format="ISO8601")
    return found[["match_id", "event_timestamp", *FEATURES]]
