"""What breaks a rule of dbt/test_project_standard.py on purpose, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dbt_manifest import Project

SHAPED_BY_CODE = "the ratings step gives the table the columns its code has; a view would list them again"
FEATURES_MEET_HERE = "one row holds all a forecast may know, each kind joined as of the match's own instant"
EVERY_STAGE = (
    "any stage from landing to ledger can be why a match is not predicted, and one row names the first"
)
SUMS = "each child is one way to sum settled forecasts up, kept here so that board, API and analysts share it"
READ_WHERE_WRITTEN = "the record itself is what is served or checked; a copy could differ from it"
VIEWS_ON_PURPOSE = (
    "views always agree with core and with a ledger that is written between builds; none is slow to read"
)

SET_ASIDE = "each staging model leaves out what was set aside, of its own kind"
WHAT_CAME_OF_IT = "an append-only row and what came of it later, which has a table of its own"
ITS_KEY = "the primary key of its table proves it; a test would count all history at every build"
LANDING_PARSED = "it is written in the transaction that parses a payload, whose freshness is promised"
WHEN_IT_HAPPENS = "a row is an event that need never happen"

EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "fct_direct_join_to_source": {
        "match_features": SHAPED_BY_CODE,
    },
    "fct_marts_or_intermediate_dependent_on_source": {
        "team_ratings": SHAPED_BY_CODE,
        "match_features": SHAPED_BY_CODE,
    },
    "fct_unused_sources": {
        "ops.match_change": "incremental builds read it, which dbt does not see while it reads the project",
    },
    "fct_multiple_sources_joined": {
        "stg_fixture_observation": SET_ASIDE,
        "stg_score_observation": SET_ASIDE,
        "stg_odds_observation": SET_ASIDE,
        "stg_landed_fixture": "a fixture that was set aside is told with the rule that did it",
        "stg_payload": WHAT_CAME_OF_IT,
        "stg_rejected_row": WHAT_CAME_OF_IT,
        "stg_competition_hold": WHAT_CAME_OF_IT,
    },
    "fct_source_fanout": {
        "landing.set_aside": SET_ASIDE,
        "landing.fixture_observation": "core reads it as of the build and without what was set aside, unpredicted all",
        "ratings.team_rating": "match_features reads it as of kick-off, team_ratings as of the build",
    },
    "fct_rejoining_of_upstream_concepts": {
        "unpredicted": "only it reads rejected_rows, and a later payload of a request has the last word on them",
    },
    "fct_too_many_joins": {"match_features": FEATURES_MEET_HERE, "unpredicted": EVERY_STAGE},
    "fct_model_fanout": {"settled_predictions": SUMS},
    "fct_exposure_parents_materializations": {
        "ledger.prediction": READ_WHERE_WRITTEN,
        "ledger.prediction_outcome": READ_WHERE_WRITTEN,
        "landing.payload": READ_WHERE_WRITTEN,
        "landing.rejected_row": READ_WHERE_WRITTEN,
    },
    "fct_sources_without_freshness": {
        "landing.payload_parsed": LANDING_PARSED,
        "landing.rejected_row": WHEN_IT_HAPPENS,
        "landing.rejected_row_settled": WHEN_IT_HAPPENS,
        "landing.set_aside": WHEN_IT_HAPPENS,
        "landing.team_link": WHEN_IT_HAPPENS,
        "ops.price_age": "it is how old something is",
        "ops.pipeline_run": "every step writes it; `touchline status` and the board show its age",
        "ops.quality_result": "every gate writes it; the board shows its age",
        "ops.competition_hold": WHEN_IT_HAPPENS,
        "ops.competition_release": WHEN_IT_HAPPENS,
        "ops.match_change": "every build writes it before it reads it",
        "ledger.prediction": "how old it may be depends on the fixtures ahead, which competition_health counts",
        "ledger.prediction_outcome": "it follows the results, which competition_health counts when overdue",
        "ledger.season_forecast": "a season is forecast again when something is new, which can be weeks later",
        "ledger.season_outcome": WHEN_IT_HAPPENS,
        "ratings.team_rating": "each build updates it, in the same run that reads it",
    },
    "fct_missing_primary_key_tests": {
        "stg_fixture_observation": ITS_KEY,
        "stg_score_observation": ITS_KEY,
        "stg_landed_fixture": "the primary key of fixtures and the unique index of what was set aside prove it",
        "stg_payload": ITS_KEY,
        "stg_rejected_row": ITS_KEY,
        "stg_team_link": ITS_KEY,
        "stg_prediction": ITS_KEY,
        "stg_season_forecast": ITS_KEY,
        "stg_season_outcome": "distinct on a team of a season leaves one row of it",
        "stg_prediction_outcome": "distinct on a prediction leaves one row of it",
        "stg_competition_hold": ITS_KEY,
        "stg_pipeline_run": ITS_KEY,
        "stg_quality_result": ITS_KEY,
        "stg_odds_observation": "landing keeps a quote once by how it is written; a test would count all of them",
        "freshness": "a select without a from: it cannot have but one row",
        "stg_price_age": "an aggregate over everything: it cannot have but one row",
    },
}
# Whole layers that break a rule on purpose.
EXCUSED_LAYERS = {("fct_exposure_parents_materializations", "analytics"): VIEWS_ON_PURPOSE}


def only_the_excused(project: Project, check: str, layer: str, offenders: Iterable[str]) -> None:
    """Fails when something of the layer breaks the rule without a reason, or has a reason it does not need."""
    if (check, layer) in EXCUSED_LAYERS:
        return
    excused = {name for name in EXCEPTIONS.get(check, {}) if project.layer(name) == layer}
    found = set(offenders)
    assert sorted(found - excused) == [], f"{check}: mend them, or argue in EXCEPTIONS"
    assert sorted(excused - found) == [], f"{check}: these exceptions are not needed any more"
