"""The rules of dbt_project_evaluator, read from the manifest that dbt parses, and a few of our own.

Each test names the evaluator's check it stands for. What breaks a rule on purpose is in
`tests/dbt_exceptions.py` with its reason; an exception that is no longer needed fails, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from dbt_exceptions import EXCEPTIONS, only_the_excused
from dbt_manifest import Project
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.invocation import dbt_result

pytestmark = pytest.mark.slow

LAYERS = ("staging", "core", "features", "analytics")
# A layer reads itself and those before it, never one that comes after.
PREFIXES = {"staging": "stg_"}
MAX_CHILDREN_AT_THE_END = 3
MAX_PARENTS = 7
MAX_CHAINED_VIEWS = 5


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    # dbt reads the project without a connection.
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), database_url="postgresql://nobody@127.0.0.1:1/none"
    )
    dbt_result(settings, "parse")
    path = settings.home / "dbt" / settings.warehouse_database / "target" / "manifest.json"
    return Project(json.loads(path.read_text()))


by_layer = pytest.mark.parametrize("layer", LAYERS)


def test_every_exception_is_about_something_that_exists_and_has_a_reason(project: Project):
    for check, excused in EXCEPTIONS.items():
        assert sorted(excused.keys() - project.models.keys() - project.sources.keys()) == [], check
        assert all(len(reason) > 20 for reason in excused.values()), check


# Modelling


@by_layer
def test_no_model_joins_a_source_to_a_model(project: Project, layer: str):
    """fct_direct_join_to_source: sources are read in staging, and joined as models."""
    offenders = [name for name in project.of(layer) if project.sources_of(name) and project.parents(name)]
    only_the_excused(project, "fct_direct_join_to_source", layer, offenders)


@by_layer
def test_no_model_begins_from_nothing(project: Project, layer: str):
    """fct_root_models: a model without parents hides where its rows come from."""
    offenders = [name for name, node in project.of(layer).items() if not node["depends_on"]["nodes"]]
    only_the_excused(project, "fct_root_models", layer, offenders)


def test_a_source_table_is_read_by_one_model(project: Project):
    """fct_source_fanout: two readers of a source can clean it in two ways."""
    offenders = [source for source in project.sources if len(project.readers(source)) > 1]
    only_the_excused(project, "fct_source_fanout", "staging", offenders)


def test_every_source_table_is_used(project: Project):
    """fct_unused_sources."""
    offenders = [
        name
        for name, node in project.sources.items()
        if not project.readers(name) and not project.is_read_otherwise(node["unique_id"])
    ]
    only_the_excused(project, "fct_unused_sources", "staging", offenders)


def test_no_table_is_declared_as_two_sources(project: Project):
    """fct_duplicate_sources."""
    relations = [(node["schema"], node["identifier"]) for node in project.sources.values()]
    assert len(relations) == len(set(relations))


def test_staging_does_not_read_staging(project: Project):
    """fct_staging_dependent_on_staging."""
    offenders = [
        name
        for name in project.of("staging")
        if any(project.layer(each) == "staging" for each in project.parents(name))
    ]
    only_the_excused(project, "fct_staging_dependent_on_staging", "staging", offenders)


@by_layer
def test_no_model_reads_a_layer_that_comes_after_its_own(project: Project, layer: str):
    """fct_staging_dependent_on_marts_or_intermediate, for every layer."""
    later = LAYERS[LAYERS.index(layer) + 1 :]
    offenders = [
        name
        for name in project.of(layer)
        if any(project.layer(each) in later for each in project.parents(name))
    ]
    only_the_excused(project, "fct_staging_dependent_on_marts_or_intermediate", layer, offenders)


@pytest.mark.parametrize("layer", LAYERS[1:])
def test_only_staging_reads_sources(project: Project, layer: str):
    """fct_marts_or_intermediate_dependent_on_source."""
    offenders = [name for name in project.of(layer) if project.sources_of(name)]
    only_the_excused(project, "fct_marts_or_intermediate_dependent_on_source", layer, offenders)


def test_a_view_of_staging_serves_analytics_or_the_layers_before_it(project: Project):
    """Ours: analytics is built as of another instant than core, and the views of staging with the layer they serve."""
    offenders = [
        name
        for name in project.of("staging")
        if len({project.layer(child) == "analytics" for child in project.children(name)}) != 1
    ]
    only_the_excused(project, "staging_of_one_layer", "staging", offenders)


@by_layer
def test_no_model_joins_sources(project: Project, layer: str):
    """fct_multiple_sources_joined."""
    offenders = [name for name in project.of(layer) if len(project.sources_of(name)) > 1]
    only_the_excused(project, "fct_multiple_sources_joined", layer, offenders)


@by_layer
def test_no_model_joins_back_what_its_only_parent_was_made_from(project: Project, layer: str):
    """fct_rejoining_of_upstream_concepts: A feeds B and C, B feeds C alone: B's columns could come with A's."""
    offenders = [
        name
        for name in project.of(layer)
        for between in project.parents(name)
        if project.children(between) == [name] and set(project.parents(between)) & set(project.parents(name))
    ]
    only_the_excused(project, "fct_rejoining_of_upstream_concepts", layer, offenders)


@by_layer
def test_no_model_has_many_children_that_end_there(project: Project, layer: str):
    """fct_model_fanout: many ends right behind one model are logic that belongs to the tools that read them."""
    offenders = [
        name
        for name in project.of(layer)
        if sum(not project.children(child) for child in project.children(name)) > MAX_CHILDREN_AT_THE_END
    ]
    only_the_excused(project, "fct_model_fanout", layer, offenders)


@by_layer
def test_no_model_joins_too_much(project: Project, layer: str):
    """fct_too_many_joins."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if len(set(node["depends_on"]["nodes"])) >= MAX_PARENTS
    ]
    only_the_excused(project, "fct_too_many_joins", layer, offenders)


@by_layer
def test_no_model_names_a_table_by_hand(project: Project, layer: str):
    """fct_hard_coded_references: what is not a ref or a source has no place in the graph."""
    offenders = [name for name, node in project.of(layer).items() if _names_a_table(node["raw_code"])]
    only_the_excused(project, "fct_hard_coded_references", layer, offenders)


def _names_a_table(code: str) -> bool:
    plain = re.sub(r"--[^\n]*|\{#.*?#\}|/\*.*?\*/", "", code, flags=re.DOTALL)
    # These words come before columns: extract(epoch from a.b), is distinct from a.b.
    plain = re.sub(
        r"\b(extract|substring|trim)\s*\([^()]*?\bfrom\b|\bdistinct\s+from\b", "", plain, flags=re.I
    )
    return re.search(r"\b(from|join)\s+\"?\w+\"?\s*\.\s*\"?\w", plain, flags=re.I) is not None


@pytest.mark.parametrize(("code", "is_named"), [
    ("select * from core.match", True), ('select * from "core"."match"', True),
    ("select 1 from a inner join\n    core.match on true", True), ("select * from {{ ref('match') }}", False),
    ("select extract(epoch from a.b) from c", False), ("select 1 -- from core.match", False),
    ("select * from a where a.x is distinct from a.y", False),
])  # fmt: skip
def test_the_rule_about_names_finds_names(code: str, is_named: bool):
    assert _names_a_table(code) is is_named


# Tests and documentation


@by_layer
def test_every_model_proves_its_grain(project: Project, layer: str):
    """fct_missing_primary_key_tests: unique and not_null, a unique combination, a primary key or a unique index."""
    offenders = [name for name in project.of(layer) if not _proves_its_grain(project, name)]
    only_the_excused(project, "fct_missing_primary_key_tests", layer, offenders)


def _proves_its_grain(project: Project, name: str) -> bool:
    node, tested = project.models[name], {}
    for test in project.tests(name):
        tested.setdefault(test["test_metadata"]["name"], set()).add(test.get("column_name"))
    constraints = [*node["constraints"]]
    constraints += [each for column in node["columns"].values() for each in column["constraints"]]
    return bool(
        tested.get("unique", set()) & tested.get("not_null", set())
        or "unique_combination" in tested
        or any(each["type"] == "primary_key" for each in constraints)
        or any(index.get("unique") for index in node["config"].get("indexes", []))
    )


@by_layer
def test_every_model_and_column_is_described(project: Project, layer: str):
    """fct_undocumented_models, fct_documentation_coverage; and every column, which the evaluator does not ask for."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if not node["description"]
        or not node["columns"]
        or not all(c["description"] for c in node["columns"].values())
    ]
    only_the_excused(project, "fct_undocumented_models", layer, offenders)


def test_every_source_and_source_table_is_described(project: Project):
    """fct_undocumented_sources, fct_undocumented_source_tables."""
    offenders = [
        name
        for name, node in project.sources.items()
        if not node["description"] or not node["source_description"]
    ]
    only_the_excused(project, "fct_undocumented_source_tables", "staging", offenders)


# Structure


@by_layer
def test_models_are_named_by_their_layer(project: Project, layer: str):
    """fct_model_naming_conventions: stg_ in staging and nowhere else; words of the field in snake case."""
    offenders = []
    for name in project.of(layer):
        prefix = next((each for each in PREFIXES.values() if name.startswith(each)), None)
        if prefix != PREFIXES.get(layer) or not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
            offenders.append(name)
    only_the_excused(project, "fct_model_naming_conventions", layer, offenders)


@by_layer
def test_a_model_and_its_description_lie_side_by_side_in_the_folder_of_its_layer(
    project: Project, layer: str
):
    """fct_model_directories, fct_test_directories."""
    offenders = []
    for name, node in project.of(layer).items():
        folder = Path("models") / layer
        described_in = Path(node["patch_path"].partition("://")[2])
        if (
            Path(node["original_file_path"]) != folder / f"{name}.sql"
            or described_in != folder / f"{name}.yml"
        ):
            offenders.append(name)
    only_the_excused(project, "fct_model_directories", layer, offenders)


def test_sources_are_declared_where_they_are_read(project: Project):
    """fct_source_directories."""
    assert {Path(node["original_file_path"]).parent for node in project.sources.values()} == {
        Path("models/staging")
    }


@by_layer
def test_the_first_line_of_a_model_is_its_grain(project: Project, layer: str):
    """Ours: one model, one grain, one sentence."""
    offenders = [
        name for name, node in project.of(layer).items() if not node["raw_code"].startswith("-- one row")
    ]
    only_the_excused(project, "grain_first", layer, offenders)


# Performance


@by_layer
def test_no_long_chain_of_views(project: Project, layer: str):
    """fct_chained_views_dependencies."""
    offenders = [name for name in project.of(layer) if project.views_in_a_row(name) > MAX_CHAINED_VIEWS]
    only_the_excused(project, "fct_chained_views_dependencies", layer, offenders)


@by_layer
def test_exposures_read_tables(project: Project, layer: str):
    """fct_exposure_parents_materializations: what is waited for is a table, neither a view nor a source."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if node["config"]["materialized"] in ("view", "ephemeral")
        and project.is_read_otherwise(node["unique_id"])
    ]
    if layer == "staging":
        offenders += [
            n for n, node in project.sources.items() if project.is_read_otherwise(node["unique_id"])
        ]
    only_the_excused(project, "fct_exposure_parents_materializations", layer, offenders)


def test_every_source_table_says_how_old_it_may_be(project: Project):
    """fct_sources_without_freshness."""
    offenders = [
        name
        for name, node in project.sources.items()
        if not any(
            (node["freshness"] or {}).get(limit, {}).get("count") for limit in ("warn_after", "error_after")
        )
    ]
    only_the_excused(project, "fct_sources_without_freshness", "staging", offenders)


# Governance


@pytest.mark.parametrize("layer", ["core", "analytics"])
def test_every_model_others_build_on_has_an_enforced_contract_with_types(project: Project, layer: str):
    """Ours, for whole layers: names and types of columns are promised, and the build breaks before the promise does."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if not node["config"]["contract"]["enforced"]
        or not all(c["data_type"] for c in node["columns"].values())
    ]
    only_the_excused(project, "contracts", layer, offenders)


@by_layer
def test_every_public_model_has_a_contract(project: Project, layer: str):
    """fct_public_models_without_contract."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if node["access"] == "public" and not node["config"]["contract"]["enforced"]
    ]
    only_the_excused(project, "fct_public_models_without_contract", layer, offenders)


@by_layer
def test_exposures_depend_on_public_models_alone(project: Project, layer: str):
    """fct_exposures_dependent_on_private_models."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if project.is_read_otherwise(node["unique_id"]) and node["access"] != "public"
    ]
    only_the_excused(project, "fct_exposures_dependent_on_private_models", layer, offenders)


def test_every_exposure_says_who_answers_for_it_and_what_breaks(project: Project):
    """What the evaluator asks of models, asked of exposures."""
    exposures = project.manifest["exposures"].values()
    assert {each["name"] for each in exposures} >= {
        "prediction_api",
        "board",
        "match_result_models",
        "analyst_exports",
    }
    for each in exposures:
        assert each["owner"]["name"], each["name"]
        assert len(each["description"]) > 40, each["name"]
        assert each["depends_on"]["nodes"], each["name"]


def test_every_analytics_view_can_be_exported_and_says_so(project: Project):
    """Ours: the exposure of exports names every view, so that the graph shows who reads it."""
    (exports,) = (
        each for each in project.manifest["exposures"].values() if each["name"] == "analyst_exports"
    )
    assert _names(exports["depends_on"]["nodes"]) == set(project.of("analytics"))


def _names(unique_ids: Collection[str]) -> set[str]:
    return {unique_id.rpartition(".")[2] for unique_id in unique_ids}


@pytest.mark.parametrize("layer", ["analytics"])
def test_every_view_has_an_owner_a_grain_and_a_promise_of_freshness(project: Project, layer: str):
    """Ours: who answers for it, what one row is, how old it may be."""
    offenders = [
        name
        for name, node in project.of(layer).items()
        if not all(node["config"]["meta"].get(key) for key in ("owner", "grain", "freshness"))
    ]
    only_the_excused(project, "meta", layer, offenders)


@pytest.mark.parametrize("layer", ["analytics"])
def test_the_grain_that_is_stated_is_the_grain_that_is_tested(project: Project, layer: str):
    """Ours: meta.grain names the columns of the model's uniqueness test."""
    for name, node in project.of(layer).items():
        grain = {column.strip() for column in node["config"]["meta"]["grain"].split(",")}
        if name in EXCEPTIONS["fct_missing_primary_key_tests"]:
            continue
        tested = [
            set(test["test_metadata"]["kwargs"].get("columns", [test.get("column_name")]))
            for test in project.tests(name)
            if test["test_metadata"]["name"] in ("unique", "unique_combination")
        ]
        assert grain in tested, name


def test_the_overview_of_the_site_is_ours(project: Project):
    """A newcomer's first page names every analytics view."""
    overview = project.manifest["docs"]["doc.touchline.__overview__"]["block_contents"]
    assert set(re.findall(r"`(\w+)`", overview)) >= set(project.of("analytics"))


def test_the_folders_of_the_project_are_its_layers():
    folders = {path.name for path in (PROJECT_ROOT / "dbt_project" / "models").iterdir() if path.is_dir()}
    assert folders == set(LAYERS)


def _edit(model: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(manifest: dict[str, Any]) -> None:
        node = manifest["nodes"][f"model.touchline.{model}"]
        for path, value in changes.items():
            *steps, last = path.split("__")
            place = node
            for step in steps:
                place = place[step]
            place[last] = value(place[last]) if callable(value) else value

    return change


@pytest.mark.parametrize(("rule", "layer", "change"), [
    (test_no_model_joins_a_source_to_a_model, "analytics", _edit(
        "odds", depends_on__nodes=lambda nodes: [*nodes, "source.touchline.landing.payload"])),
    (test_only_staging_reads_sources, "core", _edit("team", depends_on__nodes=["source.touchline.landing.payload"])),
    (test_no_model_begins_from_nothing, "core", _edit("team", depends_on__nodes=[])),
    (test_no_model_reads_a_layer_that_comes_after_its_own, "core", _edit(
        "team", depends_on__nodes=["model.touchline.matches"])),
    (test_no_model_names_a_table_by_hand, "analytics", _edit("odds", raw_code="-- one row\nselect * from core.match")),
    (test_every_model_and_column_is_described, "analytics", _edit("odds", columns__line__description="")),
    (test_every_model_others_build_on_has_an_enforced_contract_with_types, "analytics", _edit(
        "odds", columns__line__data_type=None)),
    (test_exposures_depend_on_public_models_alone, "analytics", _edit("odds", access="protected")),
    (test_models_are_named_by_their_layer, "analytics", _edit("odds", name="stg_odds")),
    (test_no_model_joins_too_much, "analytics", _edit(
        "matches", depends_on__nodes=[f"model.touchline.m{number}" for number in range(7)])),
])  # fmt: skip
def test_a_rule_finds_what_breaks_it(
    project: Project,
    rule: Callable[[Project, str], None],
    layer: str,
    change: Callable[[dict[str, Any]], None],
):
    manifest = deepcopy(dict(project.manifest))
    change(manifest)
    broken = Project(manifest)
    with pytest.raises(AssertionError):
        rule(broken, layer)
