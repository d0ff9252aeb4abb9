"""Expectations on training sets and on predictions."""

from __future__ import annotations

from touchline.quality.suite import Suite, block, warn

RETRAIN = "the model or its features are broken: `touchline models`, then roll back or retrain"
REBUILD = "find the matches in core.match_result and landing, correct their source, then `touchline build`"


def training_suites() -> list[Suite]:
    """Expectations on a training set before a model learns from it."""
    import great_expectations.expectations as gxe

    return [
        Suite(
            "training_set",
            None,
            lambda: [
                block(gxe.ExpectTableRowCountToBeBetween, "collect and build first", min_value=1),
                block(gxe.ExpectColumnValuesToBeUnique, REBUILD, column="match_id"),
                block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column="outcome"),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="outcome", min_value=0, max_value=2),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_contradictions", max_value=0),
                block(
                    gxe.ExpectColumnValuesToBeBetween, REBUILD,
                    column="seconds_before_as_of", min_value=0, strict_min=True,
                ),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="closing_overround", min_value=0.97,
                      max_value=1.35),
                warn(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column="home_elo", mostly=0.8),
                warn(gxe.ExpectColumnMeanToBeBetween, REBUILD, column="goals", min_value=1.8, max_value=3.8),
                warn(gxe.ExpectColumnMeanToBeBetween, REBUILD, column="is_home_win", min_value=0.3, max_value=0.6),
            ],
        )
    ]  # fmt: skip


def prediction_suites() -> list[Suite]:
    """Expectations on predictions before they enter the ledger, checked on the frame that would be written."""
    import great_expectations.expectations as gxe

    share = {"min_value": 0.0, "max_value": 1.0}
    exact = {"min_value": 1 - 1e-9, "max_value": 1 + 1e-9}
    return [
        Suite(
            "predictions",
            None,
            lambda: [
                *(
                    block(gxe.ExpectColumnValuesToBeBetween, RETRAIN, column=column, **share)
                    for column in ("p_home", "p_draw", "p_away")
                ),
                *(
                    block(gxe.ExpectColumnValuesToNotBeNull, RETRAIN, column=column)
                    for column in ("p_home", "p_draw", "p_away", "expected_home_goals", "expected_away_goals")
                ),
                block(gxe.ExpectColumnValuesToBeBetween, RETRAIN, column="p_sum", **exact),
                block(
                    gxe.ExpectColumnValuesToBeBetween, RETRAIN,
                    column="grid_sum", min_value=0.999, max_value=1.001,
                ),
                block(
                    gxe.ExpectColumnValuesToBeBetween, "nothing: it is too late for a prediction",
                    column="seconds_to_kickoff", min_value=0, strict_min=True,
                ),
                block(
                    gxe.ExpectCompoundColumnsToBeUnique, "the same match appears twice: look at core.match",
                    column_list=["match_id", "model_version", "forecast"],
                ),
                warn(
                    gxe.ExpectColumnValuesToBeBetween,
                    "compare with the market (`touchline predict`); a bold forecast may be right",
                    column="p_home", min_value=0.02, max_value=0.97,
                ),
            ],
        )
    ]  # fmt: skip
