"""Features through Feast on a small warehouse: training, publishing, online reads, and what happens when they fail."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from psycopg import sql

from builders import match_row
from databases import copy_of
from touchline.database.engine import connect, open_url, rows
from touchline.errors import FeaturesUnavailable
from touchline.features.catalogue import FEATURES, GROUPS
from touchline.features.online import read_features
from touchline.features.store import open_store, publish_features
from touchline.features.training import training_frame
from touchline.settings import Settings
from warehouse import build, land, round_robin

pytestmark = pytest.mark.slow

FRIDAY = datetime(2022, 11, 4, 20, tzinfo=UTC)
LATER = FRIDAY + timedelta(hours=6, microseconds=250)
AHEAD = [
    ("Arsenal", "Leeds", "05/11/2022"),
    ("Chelsea", "Fulham", "05/11/2022"),
    ("Burnley", "Everton", "06/11/2022"),
]


@pytest.fixture(scope="module")
def installed(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Fifteen played matches and three fixtures, landed and built as of a Friday."""
    fixtures = [
        match_row(
            Date=date, HomeTeam=home, AwayTeam=away, FTHG="", FTAG="", FTR="", AvgCH="", AvgCD="", AvgCA=""
        )
        for home, away, date in AHEAD
    ]
    first, second, *others = round_robin()
    # A maximum above Bet365's prices, and one that was taken before Bet365 went above it.
    above = {"MaxH": "2.10", "MaxD": "3.60", "MaxA": "4.20"}
    below = {"MaxH": "1.99", "MaxD": "3.55", "MaxA": "3.97"}
    played = [first | above, second | below, *others]
    sourced = land(module_settings, tmp_path_factory.mktemp("source"), [*played, *fixtures], FRIDAY)
    build(sourced, FRIDAY)
    return sourced


@pytest.fixture
def built(installed: Settings) -> Iterator[Settings]:
    """The warehouse as of a Friday with nothing published; what a test does to the offline table is undone."""
    tables = ", ".join(f"feast.touchline_{group}" for group in GROUPS)
    change(installed, "create table features.kept as table features.match_features")
    yield installed
    change(installed, f"drop table if exists {tables}")
    change(installed, "drop table if exists features.match_features")
    change(installed, "alter table features.kept rename to match_features")


@pytest.fixture(scope="module")
def published(installed: Settings) -> Iterator[Settings]:
    """A copy with its fixtures published, which nobody changes."""
    with copy_of(installed) as copy:
        publish_features(copy, FRIDAY, "test")
        yield copy


@pytest.fixture
def own_published(built: Settings) -> Settings:
    """The same for one test, which may change it."""
    publish_features(built, FRIDAY, "test")
    return built


def fixture_ids(settings: Settings) -> list[str]:
    with connect(settings, "transform") as connection:
        found = rows(
            connection, "select match_id::text as id from core.match where not is_played order by kickoff_at"
        )
    return [row["id"] for row in found]


def offline(settings: Settings, match_ids: list[str]) -> pd.DataFrame:
    query = (
        f"select match_id::text as match_id, {', '.join(FEATURES)} from features.match_features "
        "where match_id = any(%s::uuid[])"
    )
    with connect(settings, "transform") as connection:
        found = pd.DataFrame(rows(connection, query, (match_ids,)))
    return found.set_index("match_id").loc[match_ids].astype("float64")


def online_rows(settings: Settings) -> list[dict[str, Any]]:
    query = " union all ".join(
        f"select '{group}' as view, entity_key, feature_name, value, event_ts from feast.touchline_{group}"
        for group in GROUPS
    )
    with connect(settings, "transform") as connection:
        return rows(connection, f"{query} order by 1, 2, 3")


def change(settings: Settings, statement: str, parameters: Any = None) -> None:
    with connect(settings, "transform") as connection:
        connection.execute(statement, parameters)


def advance(settings: Settings) -> None:
    """What a later build does to fixtures: another instant, other values."""
    change(
        settings,
        "update features.match_features set features_as_of = %s, home_elo = home_elo + 7 where not is_played",
        (LATER,),
    )


def test_serving_gives_what_training_gives(published: Settings):
    match_ids = fixture_ids(published)
    read = read_features(published, match_ids, FRIDAY)
    store = open_store(published, "model")
    trained = store.get_historical_features(
        entity_df=f"select match_id::text as match_id, timestamptz '{FRIDAY}' as event_timestamp "
        "from core.match where not is_played",
        features=store.get_feature_service("match_result"),
    ).to_df()
    assert read.store == "online"
    pd.testing.assert_frame_equal(
        read.frame, trained.set_index("match_id").loc[match_ids, list(FEATURES)].astype("float64")
    )
    pd.testing.assert_frame_equal(read.frame, offline(published, match_ids))
    assert read.frame["market_price_home"].tolist() == pytest.approx([1.98] * 3)
    # No group is equal by being unknown, or as it is before a first match.
    for name in (
        "home_elo",
        "home_attack_medium",
        "away_form_surprise_short",
        "home_rest_days",
        "home_points_5",
    ):
        assert read.frame[name].notna().all()
    for name in ("home_market_rating_medium", "away_move_last", "home_market_surprise_goals_short"):
        assert (read.frame[name].abs() > 0).all()


def test_training_features_are_those_before_the_kickoff_and_labels_those_after(published: Settings):
    frame = training_frame(published, FRIDAY)
    assert len(frame) == 15
    assert frame["kickoff_at"].is_monotonic_increasing
    # Each of the first matches is the first of its home side: nothing is known of it yet.
    first = frame.iloc[0]
    assert pd.isna(first["home_elo"])
    assert pd.isna(first["home_goals_for_5"])
    last = frame.iloc[-1]
    assert (last["home_team"], last["away_team"]) == ("Everton", "Burnley")
    assert last["home_n_played"] == 4
    pd.testing.assert_series_equal(
        last[list(FEATURES)].astype("float64"),
        offline(published, [last["match_id"]]).iloc[0],
        check_names=False,
    )
    goals = frame["home_goals"] - frame["away_goals"]
    assert (frame["outcome"] == goals.map(lambda gap: 0 if gap > 0 else 2 if gap < 0 else 1)).all()
    assert frame["closing_price_home"].tolist() == pytest.approx([1.95] * 15)
    assert not any("closing" in name or "best" in name for name in FEATURES)


def test_the_best_price_is_the_highest_of_the_market_maximum_and_all_bookmakers(published: Settings):
    frame = training_frame(published, FRIDAY)
    assert frame["best_price_home"].tolist() == pytest.approx([2.10] + [2.00] * 14)
    assert frame["best_price_draw"].tolist() == pytest.approx([3.60, 3.55] + [3.50] * 13)
    assert frame["best_price_away"].tolist() == pytest.approx([4.20] + [4.00] * 14)
    # No bookmaker has a closing price here; the average alone is none that anybody offered.
    assert frame["best_closing_price_home"].isna().all()


def test_training_takes_only_what_is_asked_for(published: Settings):
    since = datetime(2022, 10, 10, tzinfo=UTC)
    assert training_frame(published, FRIDAY, since=since)["kickoff_at"].min() >= since
    assert len(training_frame(published, FRIDAY, since=since)) == 6
    assert len(training_frame(published, FRIDAY, competitions=["E0"])) == 15
    assert training_frame(published, FRIDAY, competitions=["E1", "o'clock"]).empty


def test_results_known_after_as_of_are_no_labels(published: Settings):
    frame = training_frame(published, datetime(2022, 10, 8, tzinfo=UTC))
    assert 0 < len(frame) < 15
    assert frame["kickoff_at"].max() < datetime(2022, 10, 8, tzinfo=UTC)


def test_publishing_twice_leaves_the_same_store(own_published: Settings, capfd: pytest.CaptureFixture[str]):
    once = online_rows(own_published)
    report = publish_features(own_published, FRIDAY, "again")
    assert online_rows(own_published) == once
    assert (report.n_fixtures, report.n_features) == (3, len(FEATURES))
    assert len(once) == 3 * len(FEATURES)
    assert capfd.readouterr().out == ""


def test_publishing_removes_fixtures_that_are_no_longer_ahead(own_published: Settings):
    advance(own_published)
    change(
        own_published,
        "update features.match_features set features_as_of = kickoff_at - interval '1 minute' "
        "where match_id = %s::uuid",
        (fixture_ids(own_published)[0],),
    )
    publish_features(own_published, LATER, "test")
    assert len(online_rows(own_published)) == 2 * len(FEATURES)


def test_a_fixture_that_no_run_predicts_before_the_next_build_is_read_offline(built: Settings):
    soon, *_, late = fixture_ids(built)
    change(
        built,
        "update features.match_features set kickoff_at = kickoff_at + interval '30 days' where match_id = %s::uuid",
        (late,),
    )
    assert publish_features(built, FRIDAY, "test").n_fixtures == 2
    assert read_features(built, [soon], FRIDAY).store == "online"
    assert read_features(built, [late], FRIDAY).store == "offline"


def test_publishing_another_instant_than_the_build_is_refused(built: Settings):
    with pytest.raises(FeaturesUnavailable, match="run `touchline build`"):
        publish_features(built, LATER, "test")


def test_a_later_build_is_read_once_published(own_published: Settings):
    before = read_features(own_published, fixture_ids(own_published), FRIDAY).frame
    advance(own_published)
    publish_features(own_published, LATER, "test")
    read = read_features(own_published, fixture_ids(own_published), LATER)
    assert read.store == "online"
    assert (read.frame["home_elo"] - before["home_elo"]).tolist() == pytest.approx([7] * 3)


def test_reading_does_not_depend_on_the_zone_of_the_server(built: Settings):
    with open_url(built.admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("alter database {} set timezone to 'America/New_York'").format(
                sql.Identifier(built.warehouse_database)
            )
        )
    publish_features(built, FRIDAY, "test")
    assert read_features(built, fixture_ids(built), FRIDAY).store == "online"
    assert {row["event_ts"] for row in online_rows(built)} == {FRIDAY}


DAMAGE = {
    "never published": None,
    "a table is missing": "alter table feast.touchline_match_form rename to lost",
    "a match is missing in one view": "delete from feast.touchline_match_market where entity_key = "
    "(select min(entity_key) from feast.touchline_match_market)",
    "no right to read": "revoke select on feast.touchline_match_rating from touchline_model",
    "a value is broken": "update feast.touchline_match_rating set value = 'broken'",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_offline_table_answers_when_the_online_store_fails(
    built: Settings, damage: str, caplog: pytest.LogCaptureFixture
):
    statement = DAMAGE[damage]
    if statement is not None:
        publish_features(built, FRIDAY, "test")
        change(built, statement)
    match_ids = fixture_ids(built)
    with caplog.at_level(logging.WARNING):
        read = read_features(built, match_ids, FRIDAY)
    change(built, "drop table if exists feast.lost")
    assert read.store == "offline"
    assert "the online feature store failed" in caplog.text
    pd.testing.assert_frame_equal(read.frame, offline(built, match_ids))


def test_an_online_store_older_than_the_build_is_not_read(own_published: Settings):
    advance(own_published)
    read = read_features(own_published, fixture_ids(own_published), LATER)
    assert read.store == "offline"
    pd.testing.assert_frame_equal(read.frame, offline(own_published, fixture_ids(own_published)))


def test_features_of_a_later_instant_are_never_given(published: Settings):
    with pytest.raises(FeaturesUnavailable):
        read_features(published, fixture_ids(published), FRIDAY - timedelta(hours=1))


def test_the_online_store_answers_alone_when_the_offline_table_is_gone(
    own_published: Settings, caplog: pytest.LogCaptureFixture
):
    match_ids = fixture_ids(own_published)
    change(own_published, "drop table features.match_features")
    assert read_features(own_published, match_ids, FRIDAY).store == "online"
    assert "taken as they are" in caplog.text


def test_both_stores_failing_is_an_error_that_says_what_to_do(built: Settings):
    match_ids = fixture_ids(built)
    change(built, "drop table features.match_features")
    with pytest.raises(FeaturesUnavailable, match="run `touchline build`"):
        read_features(built, match_ids, FRIDAY)


def test_a_database_that_refuses_connections_is_an_error(built: Settings):
    elsewhere = built.model_copy(update={"database_url": "postgresql://nobody:nothing@127.0.0.1:9/postgres"})
    with pytest.raises(FeaturesUnavailable):
        read_features(elsewhere, fixture_ids(built), FRIDAY)


def test_an_unknown_match_is_an_error(published: Settings):
    with pytest.raises(FeaturesUnavailable, match="1 matches"):
        read_features(published, ["00000000-0000-0000-0000-000000000000"], FRIDAY)


def test_no_matches_are_no_features(published: Settings):
    assert read_features(published, [], FRIDAY).frame.shape == (0, len(FEATURES))


def test_every_feature_is_a_documented_column_of_the_offline_table(published: Settings):
    with connect(published, "transform") as connection:
        columns = rows(
            connection,
            "select column_name, data_type from information_schema.columns "
            "where table_schema = 'features' and table_name = 'match_features'",
        )
    types = {row["column_name"]: row["data_type"] for row in columns}
    assert {types.get(name) for name in FEATURES} == {"double precision"}
    views = {view.name: view for view in open_store(published, "model").list_feature_views()}
    assert {name: tuple(field.name for field in view.features) for name, view in views.items()} == GROUPS
    assert all(field.description for view in views.values() for field in view.features)
