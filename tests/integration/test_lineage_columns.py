"""Column lineage: every column of the analysts' views is followed to landing, ledger or a seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from touchline.cli import app
from touchline.database.engine import connect
from touchline.errors import ColumnUnknown, SqlNotUnderstood, WarehouseNotBuilt
from touchline.openlineage.columns import Warehouse, origins, read_warehouse
from touchline.settings import Settings

pytestmark = pytest.mark.slow

ENDS = ("landing.", "ledger.", "ops.", "core.competition.", "core.point_deduction.", "core.table_rule.")


@pytest.fixture(scope="module")
def built(october: Settings) -> Settings:
    return october


@pytest.fixture(scope="module")
def warehouse(built: Settings) -> Warehouse:
    with connect(built, "transform") as connection:
        return read_warehouse(built, connection)


def test_every_column_of_the_analysts_views_has_a_source_or_is_written_in_the_sql(warehouse: Warehouse):
    views = [name for name in warehouse.columns if name.startswith("analytics.")]
    assert len(views) >= 9
    for view in views:
        assert view in warehouse.sql, f"{view} is no model of dbt"
        for origin in origins(warehouse, view):
            assert bool(origin.sources) != origin.is_constant, origin
            assert all(name.startswith(ENDS) for name in origin.sources), origin


def test_a_price_leads_to_the_price_that_was_quoted(warehouse: Warehouse):
    (origin,) = origins(warehouse, "analytics.upcoming_predictions.best_price_home")
    assert origin.made_from == ("core.match_odds.price_home",)
    assert origin.sources == ("landing.odds_observation.price_home",)


def test_columns_of_values_side_by_side_are_told_apart(warehouse: Warehouse):
    (price,) = origins(warehouse, "analytics.value_watch.best_price")
    (outcome,) = origins(warehouse, "analytics.value_watch.outcome")
    assert {name.rpartition(".")[0] for name in price.sources} == {"landing.odds_observation"}
    assert (outcome.is_constant, outcome.sources) == (True, ())


def test_a_count_leads_to_the_rows_that_were_counted(warehouse: Warehouse):
    (origin,) = origins(warehouse, "analytics.model_leaderboard.n")
    assert origin.sources == ("ledger.prediction.*", "ledger.prediction_outcome.*")


def test_a_rating_leads_through_the_ratings_step_to_the_results(warehouse: Warehouse):
    (origin,) = origins(warehouse, "analytics.team_ratings.elo")
    assert origin.made_from == ("features.team_rating.elo",)
    assert {"landing.score_observation.home_goals", "landing.fixture_observation.kickoff_at"} <= set(
        origin.sources
    )
    assert not any("odds" in name for name in origin.sources)
    (since,) = origins(warehouse, "features.team_rating.valid_from")
    assert since.made_from == ("core.result_version.valid_from", "core.result_version.valid_to")
    assert "landing.score_observation.known_at" in since.sources


def test_what_a_rating_takes_from_prices_leads_to_the_quotes(warehouse: Warehouse):
    (move,) = origins(warehouse, "features.team_rating.move_last")
    assert "landing.odds_observation.price_home" in move.sources
    assert not any(name.endswith("goals") for name in move.sources)
    (surprise,) = origins(warehouse, "features.team_rating.market_surprise_goals_last")
    assert {"core.result_version.home_goals", "core.result_price.pinnacle_away"} <= set(surprise.made_from)
    (corners,) = origins(warehouse, "features.team_rating.form_corners_long")
    assert "landing.score_observation.away_corners" in corners.sources


def test_what_is_kept_of_an_earlier_look_is_the_same(warehouse: Warehouse):
    first = origins(warehouse, "analytics.track_record")
    assert origins(warehouse, "analytics.track_record") == first
    assert "analytics.track_record" in json.loads(warehouse.cache.read_text())


def test_sql_that_is_not_understood_says_which(warehouse: Warehouse, tmp_path: Path):
    view = "analytics.calibration"
    broken = replace(
        warehouse, sql={**warehouse.sql, view: "select ( from"}, cache=tmp_path / "made_from.json"
    )
    with pytest.raises(SqlNotUnderstood, match=r"analytics\.calibration"):
        origins(broken, view)


def test_unknown_names_are_refused_with_what_there_is(warehouse: Warehouse, built: Settings, tmp_path: Path):
    with pytest.raises(ColumnUnknown, match=r"analytics\.calibration"):
        origins(warehouse, "analytics.nothing")
    with pytest.raises(ColumnUnknown, match="p_said"):
        origins(warehouse, "analytics.calibration.nothing")
    elsewhere = built.model_copy(update={"home": tmp_path})
    with connect(built, "transform") as connection, pytest.raises(WarehouseNotBuilt, match="touchline build"):
        read_warehouse(elsewhere, connection)


def test_the_command_prints_columns(built: Settings, monkeypatch: pytest.MonkeyPatch):
    for name, value in built.environment().items():
        monkeypatch.setenv(name, value)
    printed = CliRunner().invoke(app, ["lineage", "columns", "analytics.calibration"])
    assert printed.exit_code == 0, printed.output
    assert "ledger.prediction_outcome.outcome" in printed.output
    one = CliRunner().invoke(app, ["--json", "lineage", "columns", "analytics.calibration.p_happened"])
    assert json.loads(one.stdout)[0]["sources"] == ["ledger.prediction_outcome.outcome"]
    assert CliRunner().invoke(app, ["lineage", "columns"]).exit_code == 2
