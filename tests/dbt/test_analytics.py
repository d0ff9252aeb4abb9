"""The analytics views: types and comments as promised, figures that add up, alive when tables change beneath them."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from served_world import NOW, World
from touchline import cli
from touchline.database.engine import connect, rows
from touchline.overround import remove_overround
from touchline.settings import Settings
from touchline.warehouse.build import build_layer

pytestmark = pytest.mark.slow

SIDES, GOALS = ("home", "draw", "away"), ("over", "under")
MARKETS = {"1x2": SIDES, "over_under": GOALS, "asian_handicap": ("home", "away")}


@pytest.fixture(scope="module")
def built(module_world: World) -> Settings:
    return module_world.settings


def fetch(settings: Settings, query: str, parameters: Any = None) -> list[dict[str, Any]]:
    with connect(settings, "analyst") as connection:
        return rows(connection, query, parameters)


def columns_of(settings: Settings, view: str) -> list[dict[str, Any]]:
    """Name, type and comment of a view's columns, in order."""
    return fetch(
        settings,
        "select attname as name, format_type(atttypid, null) as type, col_description(attrelid, attnum) as comment "
        "from pg_attribute where attrelid = ('analytics.' || %s)::regclass and attnum > 0 order by attnum",
        (view,),
    )


def manifest_views(settings: Settings) -> dict[str, dict[str, Any]]:
    path = settings.home / "dbt" / settings.warehouse_database / "target" / "manifest.json"
    nodes = json.loads(path.read_text())["nodes"].values()
    return {
        node["name"]: node
        for node in nodes
        if node["resource_type"] == "model" and node["schema"] == "analytics"
    }


def test_columns_have_the_promised_types_and_their_descriptions_as_comments(built: Settings):
    views = manifest_views(built)
    assert len(views) == 20
    for view, node in views.items():
        found = columns_of(built, view)
        promised = [
            (name, column["data_type"], column["description"]) for name, column in node["columns"].items()
        ]
        assert [(row["name"], row["type"], row["comment"]) for row in found] == promised, view
        comment = fetch(built, "select obj_description(('analytics.' || %s)::regclass) as comment", (view,))
        assert comment == [{"comment": node["description"]}]


def test_tables_of_core_carry_their_descriptions_too(built: Settings):
    found = fetch(built, "select col_description('core.match'::regclass, 1) as comment")
    assert found[0]["comment"].startswith("The match; identity from")


def test_matches_has_every_match_once_and_market_probabilities_without_overround(built: Settings):
    found = fetch(built, "select * from analytics.matches")
    assert len(found) == len({row["match_id"] for row in found}) == 18
    priced = [row for row in found if row["price_home"] is not None]
    assert priced
    for stage in ("", "closing_"):
        quoted = [row for row in priced if row[f"{stage}price_home"] is not None]
        assert quoted
        prices = [[row[f"{stage}price_{side}"] for side in SIDES] for row in quoted]
        told = [[row[f"p_market_{stage}{side}"] for side in SIDES] for row in quoted]
        assert told == pytest.approx(remove_overround(prices), abs=1e-9)
        assert all(row[f"{stage}overround"] > 1 for row in quoted)
    assert sum(row["is_played"] for row in found) == 15
    assert all((row["home_goals"] is not None) is row["is_played"] for row in found)


def test_a_match_with_one_price_missing_has_no_market_probability(built: Settings):
    (row,) = fetch(
        built, "select p_market_home, price_home, overround from analytics.matches where home_team = 'Fulham' "
        "and not is_played"
    )  # fmt: skip
    assert row == {"p_market_home": None, "price_home": None, "overround": None}


def test_sql_and_models_remove_the_overround_alike(built: Settings):
    """Of any quote that landing takes: from sure things to long shots, overrounds from -25 % to 40 %."""
    chance = np.random.default_rng(20260801)
    for names in (SIDES, ("home", "away")):
        fair = chance.dirichlet(np.full(len(names), 0.4), size=20_000)
        prices = 1 / (fair * chance.uniform(0.75, 1.4, (len(fair), 1)))
        prices = prices[((prices > 1.0001) & (prices <= 1001)).all(axis=1)]
        found = fetch(
            built,
            "select core.without_overround(home, draw, away) as p from "
            "unnest(%(home)s::float8[], %(draw)s::float8[], %(away)s::float8[]) with ordinality "
            "as quote (home, draw, away, place) order by place",
            {"draw": [None] * len(prices)} | dict(zip(names, prices.T.tolist(), strict=True)),
        )
        told = np.array([row["p"] for row in found], dtype=np.float64)
        assert told[:, [SIDES.index(name) for name in names]] == pytest.approx(
            remove_overround(prices), abs=1e-9
        )
        assert np.isnan(told).sum() == len(prices) * (3 - len(names))


@pytest.mark.parametrize(
    "prices", [(2.0, 3.5, None), (None, 3.5, 4.0), (1.0, 3.5, 4.0), (2.0, -1.0, 4.0), (2.0, 3.5, math.inf)]
)
def test_a_quote_without_all_its_prices_has_no_probability(built: Settings, prices: tuple[float | None, ...]):
    query = "select core.without_overround(%s::float8, %s::float8, %s::float8) as p"
    assert fetch(built, query, prices) == [{"p": None}]


def test_every_quote_has_its_probabilities(built: Settings):
    found = fetch(built, "select * from analytics.odds")
    assert {row["bookmaker"] for row in found} >= {"B365", "consensus"}
    for row in found:
        names = MARKETS[row["market"]]
        expected = remove_overround([[row[f"price_{name}"] for name in names]])[0]
        assert [row[f"p_{name}"] for name in names] == pytest.approx(expected, abs=1e-9)


def test_both_teams_of_a_match_see_the_same_match(built: Settings):
    (sums,) = fetch(
        built,
        "select count(*) as n, sum(goals_for - goals_against) as balance, count(*) filter (where is_home) as n_home, "
        "count(*) filter (where result = 'win') - count(*) filter (where result = 'loss') as surplus, "
        "sum(points) as points from analytics.team_matches",
    )
    (played,) = fetch(
        built,
        "select sum(case outcome when 'draw' then 2 else 3 end) as points from analytics.matches where is_played",
    )
    assert sums == {"n": 30, "balance": 0, "n_home": 15, "surplus": 0, "points": played["points"]}


def test_every_prediction_is_in_the_history_and_tomorrows_are_not_upcoming(built: Settings):
    with connect(built, "model") as connection:
        (ledger,) = rows(connection, "select count(*) as n from ledger.prediction")
    assert fetch(built, "select count(*) as n from analytics.prediction_history") == [ledger]
    assert fetch(
        built, "select min(hours_before_kickoff) > 0 as ahead from analytics.prediction_history"
    ) == [{"ahead": True}]
    (upcoming,) = fetch(
        built, "select p_home, predicted_at from analytics.upcoming_predictions where home_team = 'Leeds'"
    )
    assert upcoming == {"p_home": 0.5, "predicted_at": NOW}


def test_health_counts_fixtures_without_price_and_without_prediction(built: Settings):
    (row,) = fetch(built, "select * from analytics.competition_health")
    assert row["as_of"] == NOW
    assert (row["n_upcoming"], row["n_upcoming_without_price"], row["n_upcoming_without_prediction"]) == (
        3,
        2,
        1,
    )


def test_fixtures_beyond_the_horizon_lack_neither_price_nor_prediction(built: Settings):
    counts = (
        "select n_upcoming, n_upcoming_without_price, n_upcoming_without_prediction "
        "from analytics.competition_health"
    )
    with connect(built, "transform") as connection:
        connection.execute(
            "update core.match set kickoff_at = kickoff_at + interval '30 days' where not is_played"
        )
        found = rows(connection, counts)
        connection.rollback()
    assert found == [{"n_upcoming": 3, "n_upcoming_without_price": 0, "n_upcoming_without_prediction": 0}]


def test_prices_nobody_asked_for_are_not_read(built: Settings):
    plan = fetch(built, "explain select match_id, home_team, home_goals from analytics.matches")
    assert "match_odds" not in str(plan)
    assert "match_odds" in str(fetch(built, "explain select match_id, price_home from analytics.matches"))


def test_views_show_what_changes_in_the_tables_beneath_them(built: Settings):
    with connect(built, "transform") as connection:
        connection.execute("update core.match_result set referee = 'A Referee' where home_goals = 0")
    shown = fetch(built, "select count(*) as n from analytics.matches where referee = 'A Referee'")
    assert shown[0]["n"] > 0


def oids(settings: Settings) -> dict[str, int]:
    """Identity of every view: another number is another view."""
    query = "select relname, oid::bigint as oid from pg_class where relnamespace = 'analytics'::regnamespace"
    return {row["relname"]: row["oid"] for row in fetch(settings, query)}


def test_a_rebuild_renews_views_in_place_so_that_nobody_finds_one_missing(built: Settings):
    def stand() -> dict[str, list[str]]:
        return {
            view: sorted(map(str, fetch(built, f"select * from analytics.{view}")))
            for view in manifest_views(built)
        }

    views, before = oids(built), stand()
    assert len(views) == 20
    build_layer(built, "analytics", NOW + timedelta(minutes=5), "build")
    assert oids(built) == views
    assert fetch(built, "select as_of from analytics.freshness") == [{"as_of": NOW + timedelta(minutes=5)}]
    build_layer(built, "analytics", NOW, "build")
    assert oids(built) == views
    assert stand() == before


def test_an_increment_makes_no_view_again_that_would_be_the_same(built: Settings):
    report = build_layer(built, "analytics", NOW + timedelta(minutes=5), "build")
    again = build_layer(built, "analytics", NOW, "build")
    # Those in whose SQL the instant of the build is.
    assert report.n_models == again.n_models == 4
    assert fetch(built, "select as_of from analytics.freshness") == [{"as_of": NOW}]
    with connect(built, "transform") as connection:
        connection.execute("drop view analytics.standings cascade")
    build_layer(built, "analytics", NOW, "build")
    assert len(oids(built)) == 20


def test_a_view_whose_columns_changed_is_made_anew_with_all_that_read_it(built: Settings):
    names = set(oids(built))
    promised = [row["name"] for row in columns_of(built, "matches")]
    with connect(built, "transform") as connection:
        connection.execute("drop view analytics.matches cascade")
        connection.execute("create view analytics.matches as select 1 as something_else")
        connection.execute("create view analytics.odds as select * from analytics.matches")
    build_layer(built, "analytics", NOW, "build")
    assert set(oids(built)) == names
    assert [row["name"] for row in columns_of(built, "matches")] == promised


def test_the_site_is_one_page_about_every_view_that_asks_nothing_of_the_internet(
    built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in built.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOUCHLINE_AS_OF", NOW.isoformat())
    result = CliRunner().invoke(cli.app, ["--json", "docs", "--to", str(tmp_path / "site")])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["page"] == str(tmp_path / "site" / "index.html")
    assert report["n_tables"] > 30
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["index.html"]
    page = Path(report["page"]).read_text()
    assert "<title>Touchline's warehouse</title>" in page
    assert ".column-row td:nth-child(3) { white-space: normal" in page
    assert "If you came with a question" in page
    for view, node in manifest_views(built).items():
        assert json.dumps(node["description"])[1:-1] in page, view
    # dbt's page asks for a tracking script only when this is true.
    assert '"send_anonymous_usage_stats": false' in page
    assert built.secrets["transform"] not in page
