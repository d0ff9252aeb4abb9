"""What readers come for: a prediction before every kick-off, and one that is as good as promised."""

from __future__ import annotations

from typing import Final

from described.panels import Dashboard, Panel, Variable, age, or_none, stat

OF: Final = '{competition=~"$competition"}'
IN: Final = '{window="$window"}'
NATS: Final = "suffix: nats"

FORECASTS: Final = Dashboard(
    "forecasts",
    "Forecasts",
    "Predictions before kick-off, their skill against the market, and the models behind them. Ages are on the run "
    "clock.",
    {
        "Now": (
            stat(
                "Due and not predicted", f"sum(touchline_fixtures_due_unpredicted{OF})", "short",
                "Fixtures that kick off within 65 minutes without a prediction. Normal: 0. Otherwise there is time "
                "until kick-off to find out why: `touchline why`.",
                bad_above=1, alert="PredictionsMissing",
            ),
            stat(
                "Predicted ahead", f"sum(touchline_predictions_upcoming{OF})", "short",
                "Fixtures ahead with a prediction of the champion. Normal: all of the coming days; few between "
                "seasons.",
            ),
            stat(
                "Next kick-off in", "touchline_next_kickoff_timestamp_seconds - touchline_run_clock_timestamp_seconds",
                "s",
                "Time until the next kick-off, on the run clock.",
            ),
            stat(
                "Log loss behind the close", f"touchline_forecast_log_loss_behind_closing{IN}", NATS,
                "Nats a match; below 0 is better than the closing market. Normal: 0.000 to 0.010, and either side "
                "of it where matches are few. The sequential test of docs/drift.md decides when it is too much, not "
                "this figure.",
                bad_above=0.015, decimals=4, alert="PredictionQuality",
            ),
            stat(
                "Confident picks that came in", f"touchline_confident_picks_accuracy{IN}", "percentunit",
                "Of predictions with a top probability of at least 60 %. Normal: about 71 %, within 10 points on 30 "
                "picks. The alert waits until a shortfall is significant.",
                bad_below=0.7, decimals=1, alert="PredictionQuality",
            ),
            stat(
                "Age of the champion", age("touchline_champion_trained_timestamp_seconds"), "s",
                "Since what the champion knows, on the run clock. Normal: days. A training that finds nothing new, "
                "or a version that is no better, leaves it as it is; the freshness of `models/champion` is on "
                "Pipeline.",
            ),
        ),
        "Predictions": (
            Panel(
                "Fixtures ahead with a prediction",
                "By competition. Normal: rises as fixtures come into the horizon, falls at kick-off.",
                {"{{competition}}": f"touchline_predictions_upcoming{OF}"}, "short",
            ),
            Panel(
                "Written within 24 hours",
                "Predictions by role, on the run clock. Normal: above 0 before match days. None for a day before "
                "matches: see the DAG predict_matches.",
                {"{{role}}": "touchline_predictions_published"}, "short",
            ),
            Panel(
                "Without a prediction, by reason",
                "Fixtures of the horizon. Normal: empty, or `waiting` until the next run. `touchline why` says what "
                "each reason means and what to do.",
                {"{{reason}}": or_none("touchline_fixtures_unpredicted")}, "short",
            ),
            Panel(
                "Late",
                "Matches of the last 7 days whose first word came less than an hour before kick-off. Normal: 0. "
                "Each is a broken promise; its DAG run tells what held it up.",
                {"late": "touchline_predictions_late"}, "short", bad_above=1,
            ),
            Panel(
                "Since the last prediction",
                "On the run clock. Normal: under 9 hours while fixtures are ahead.",
                {"age": age("touchline_last_predicted_timestamp_seconds")}, "s",
            ),
            Panel(
                "What is missing, by kind",
                "Above 0 Touchline is degraded: it serves what it has. `touchline doctor` names each.",
                {"{{kind}}": "touchline_shortfalls"}, "short", bad_above=1,
            ),
        ),
        "Skill in the chosen window": (
            Panel(
                "Log loss",
                "Of the champion's last word on each settled match, nats. Normal: 0.95 to 1.02; lower is better.",
                {"log loss": f"touchline_forecast_log_loss{IN}"}, NATS, decimals=3, width=6,
            ),
            Panel(
                "RPS",
                "Ranked probability score. Normal: 0.19 to 0.21; lower is better.",
                {"RPS": f"touchline_forecast_rps{IN}"}, "none", decimals=4, width=6,
            ),
            Panel(
                "Accuracy",
                "Share of matches whose most probable outcome came in. Normal: 48 to 56 %; no honest forecast of three "
                "outcomes does much better.",
                {"accuracy": f"touchline_forecast_accuracy{IN}"}, "percentunit", decimals=1, width=6,
            ),
            Panel(
                "Behind the closing market",
                "Log loss less the market's on the same matches, nats. Below 0 is better than the market.",
                {"behind": f"touchline_forecast_log_loss_behind_closing{IN}"}, NATS, bad_above=0.015, decimals=4,
                alert="PredictionQuality", width=6,
            ),
            Panel(
                "Calibration slope",
                "1 is calibrated, below it overconfident, above it timid. Normal: 0.9 to 1.1 on a thousand matches.",
                {"slope": f"touchline_forecast_calibration_slope{IN}"}, "none", decimals=2, width=6,
            ),
            Panel(
                "Confident picks",
                "Share that came in. Normal: about 71 %.",
                {"came in": f"touchline_confident_picks_accuracy{IN}"}, "percentunit", bad_below=0.7,
                alert="PredictionQuality", decimals=1, width=6,
            ),
            Panel(
                "Closing-line value",
                "ln(closing probability / probability at prediction) of the favourite, nats; above 0 the market "
                "moved towards the forecast.",
                {"value": f"touchline_closing_line_value{IN}"}, NATS, decimals=4, width=6,
            ),
            Panel(
                "What these rest on",
                "Matches, those with closing prices, confident picks, and those with a closing-line value. With "
                "fewer than a few hundred matches, all scores move by chance.",
                {
                    "settled": f"touchline_forecast_matches{IN}",
                    "with a close": f"touchline_forecast_matches_with_closing{IN}",
                    "confident picks": f"touchline_confident_picks{IN}",
                    "with a closing-line value": f"touchline_closing_line_picks{IN}",
                },
                "short", width=6,
            ),
        ),
        "Models": (
            Panel(
                "Champion", "Which version's forecasts are published; `touchline models` lists all.",
                {"": "touchline_champion_info"}, "short", "table",
            ),
            Panel(
                "Evidence of drift",
                "The largest evidence of each metric divided by what an alarm needs; above 1 is an alarm "
                "(docs/drift.md). A training answers it.",
                {"{{metric}} {{subject}}": "touchline_drift_evidence_ratio"}, "none", bad_above=1, decimals=2,
            ),
            Panel(
                "Drift alarms",
                "Subjects in alarm at the last measurement. Normal: 0, or some until the night's training.",
                {"{{metric}} {{subject}}": "touchline_drift_alarms"}, "short", bad_above=1, alert="PredictionQuality",
            ),
            Panel(
                "Since drift was measured",
                "On the run clock. Normal: under 9 hours on match days; it is measured after results are settled.",
                {"age": age("touchline_drift_measured_timestamp_seconds")}, "s",
            ),
        ),
    },
    (
        Variable("window", ("28d", "365d")),
        Variable("competition", of="touchline_predictions_upcoming"),
    ),
)  # fmt: skip
