"""What breaks a rule of dbt/test_project_standard.py on purpose, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dbt_manifest import Project

FINAL_FORM = "our own code writes it in its final form: a staging view would rename nothing"
ONE_LEDGER = "prediction_history passes the ledger's predictions on; outcomes have no other reader"
STATE_OF_LANDING = "it is about landing itself: what arrived, not what was said"
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
KEY_OF_LANDING = "the primary key of landing proves it; a test would count all history at every build"
LANDING_PARSED = "it is written in the transaction that parses a payload, whose freshness is promised"
WHEN_IT_HAPPENS = "a row is an event that need never happen"

EXCEPTIONS: Mapping[str, Mapping[str, str]] = {
    "fct_direct_join_to_source": {
        "settled_predictions": ONE_LEDGER,
        "team_strength": "ratings are made by Python between core and features: " + FINAL_FORM,
        "match_features": "ratings are made by Python between core and features: " + FINAL_FORM,
        "unpredicted": EVERY_STAGE,
    },
    "fct_marts_or_intermediate_dependent_on_source": {
        "prediction_history": FINAL_FORM,
        "settled_predictions": FINAL_FORM,
        "team_strength": FINAL_FORM,
        "match_features": FINAL_FORM,
        "source_health": STATE_OF_LANDING,
        "rejected_rows": STATE_OF_LANDING,
        "unpredicted": EVERY_STAGE,
    },
    "fct_unused_sources": {
        "ops.match_change": "incremental builds read it, which dbt does not see while it reads the project",
    },
    "fct_multiple_sources_joined": {
        "stg_fixture_observation": SET_ASIDE,
        "stg_score_observation": SET_ASIDE,
        "stg_odds_observation": SET_ASIDE,
        "source_health": STATE_OF_LANDING,
        "rejected_rows": STATE_OF_LANDING,
        "unpredicted": EVERY_STAGE,
    },
    "fct_source_fanout": {
        "landing.quarantined_fact": SET_ASIDE,
        "landing.fixture_observation": "staging leaves out what was set aside, which unpredicted tells",
        "landing.payload": "source_health counts payloads, rejected_rows names the payload of a refusal",
        "ratings.team_rating": "match_features reads it as of kick-off, team_strength as of the build",
    },
    "fct_rejoining_of_upstream_concepts": {
        "match_features": FEATURES_MEET_HERE,
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
        "landing.quarantined_fact": WHEN_IT_HAPPENS,
        "landing.team_link": WHEN_IT_HAPPENS,
        "ops.pipeline_run": "every step writes it; `touchline status` and the board show its age",
        "ops.quality_result": "every gate writes it; the board shows its age",
        "ops.competition_hold": WHEN_IT_HAPPENS,
        "ops.competition_release": WHEN_IT_HAPPENS,
        "ops.match_change": "every build writes it before it reads it",
        "ledger.prediction": "how old it may be depends on the fixtures ahead, which competition_health counts",
        "ledger.prediction_outcome": "it follows the results, which competition_health counts when overdue",
        "ratings.team_rating": "each build updates it, in the same run that reads it",
    },
    "fct_missing_primary_key_tests": {
        "stg_fixture_observation": KEY_OF_LANDING,
        "stg_score_observation": KEY_OF_LANDING,
        "stg_odds_observation": "landing keeps a quote once by how it is written; a test would count all of them",
        "freshness": "a select without a from: it cannot have but one row",
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
