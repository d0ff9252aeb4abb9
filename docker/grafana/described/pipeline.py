"""Whether data comes in and is worked on."""

from __future__ import annotations

from typing import Final

from described.panels import Dashboard, Panel, age, an_hour, or_none, stat

AGE: Final = age("touchline_asset_timestamp_seconds")
OF_PROMISE: Final = f"({AGE}) / on (job, instance, asset) touchline_asset_promised_seconds"

PIPELINE: Final = Dashboard(
    "pipeline",
    "Pipeline",
    "From the sources to the predictions: freshness, sources, quality, steps and Airflow. Ages are on the run clock, "
    "Airflow's on the wall clock.",
    {
        "Now": (
            stat(
                "Oldest asset, of its promise", f"max({OF_PROMISE})", "percentunit",
                "The age of the asset that is nearest to its promise, or furthest beyond it. Normal: under 100 %.",
                bad_above=1, decimals=0, alert="AssetStale",
            ),
            stat(
                "Competitions held", "touchline_held_competitions", "short",
                "A quality gate lets nothing new be predicted for them. Normal: 0. `touchline quality holds` says why.",
                bad_above=1, alert="CompetitionHeld",
            ),
            stat(
                "Sources at rest", "sum(touchline_source_circuit_open)", "short",
                "Sources that are not asked for a while, after many failures in a row. Normal: 0. `touchline "
                "sources` says until when.",
                bad_above=1, alert="SourceStale",
            ),
            stat(
                "Failed steps, 24 h", "sum(touchline_step_failures)", "short",
                "By the wall clock, retries included. Normal: 0. Which: the panel below; why: the task's log in "
                "Airflow.",
                bad_above=1,
            ),
            stat(
                "Open notices", "touchline_open_notices", "short",
                "Causes that operators were told of and that have not gone away. Normal: 0.",
                bad_above=1,
            ),
            stat(
                "Scheduler's heartbeat",
                'time() - touchline_airflow_heartbeat_timestamp_seconds{component="scheduler"}', "s",
                "Since Airflow's scheduler last gave a sign of life, by the wall clock. Normal: under 10 seconds.",
                bad_above=60, alert="SchedulerDown",
            ),
        ),
        "Freshness": (
            Panel(
                "Age of each asset, of its promise",
                "Above 100 % an asset is older than promised (PROMISED in operations/names.py).",
                {"{{asset}}": OF_PROMISE}, "percentunit", "bargauge", bad_above=1, decimals=0, alert="AssetStale",
            ),
            Panel(
                "Age of each asset", "On the run clock.",
                {"{{asset}}": AGE}, "s",
            ),
            Panel(
                "Since a source last answered",
                "For fixtures, odds and scores, on the run clock. Normal: under 26 hours for fixtures, 7 for the "
                "others.",
                {"{{kind}}": age("touchline_collected_timestamp_seconds")}, "s", alert="SourceStale",
            ),
        ),
        "Sources": (
            Panel(
                "Calls an hour", "Normal: steady, and more on match days.",
                {"{{source}}": an_hour("touchline_source_calls_total", "source")}, "short",
            ),
            Panel(
                "Failed calls an hour", "Normal: 0. A source that goes on failing is left to rest.",
                {"{{source}}": an_hour("touchline_source_failed_calls_total", "source")}, "short",
                alert="SourceStale",
            ),
            Panel(
                "Since the last answer", "Of each source, on the run clock. Normal: under a day.",
                {"{{source}}": age("touchline_source_last_success_timestamp_seconds")}, "s",
            ),
            Panel(
                "Credits left",
                "As the source last said; empty where none counts. At 0 it is asked again in the next period.",
                {"{{source}}": or_none("touchline_source_remaining_credits")}, "short", width=12,
            ),
            Panel(
                "Facts landed an hour",
                "New fixtures, scores and quotes. Normal: quotes every few hours, the rest on match days.",
                {"{{source}} {{kind}}": an_hour("touchline_landed_rows_total", "source, kind")}, "short",
                width=12,
            ),
        ),
        "Quality": (
            Panel(
                "Rejected rows",
                "Rows and values that could not be used and are still open, by the rule that refused them. A step "
                "upwards is a source that has changed: `touchline rejects count`.",
                {"{{source}} {{reason}}": or_none("topk(10, touchline_rejected_rows)")}, "short", width=6,
            ),
            Panel(
                "Facts set aside", "By rule; nothing is built on them. `touchline quality quarantined` lists them.",
                {"{{rule}}": or_none("topk(10, touchline_quarantined_facts)")}, "short", width=6,
            ),
            Panel(
                "Failed expectations",
                "In the last run of each gate. Normal: warnings at most; an error holds a competition.",
                {"{{gate}} {{severity}}": "touchline_quality_failures"}, "short", alert="CompetitionHeld", width=6,
            ),
            Panel(
                "Since a gate last ran", "On the run clock. Normal: as old as the last build.",
                {"{{gate}}": age("touchline_quality_checked_timestamp_seconds")}, "s", width=6,
            ),
        ),
        "Steps": (
            Panel(
                "Since the last success", "On the run clock.",
                {"{{step}}": age("touchline_last_step_timestamp_seconds")}, "s",
            ),
            Panel(
                "How long the last success took", "Normal: seconds; training, tuning and a first build take minutes.",
                {"{{step}}": "topk(15, touchline_step_duration_seconds)"}, "s", "bargauge", decimals=1,
            ),
            Panel(
                "Failures, 24 h", "By the wall clock, retries included. Normal: 0.",
                {"{{step}}": "touchline_step_failures"}, "short", bad_above=1,
            ),
        ),
        "Airflow": (
            Panel(
                "Since the last heartbeat", "By the wall clock. Normal: under 10 seconds; past 60 no task begins.",
                {"{{component}}": "time() - touchline_airflow_heartbeat_timestamp_seconds"}, "s", bad_above=60,
                alert="SchedulerDown",
            ),
            Panel(
                "Tasks that have not finished", "Normal: few, and none that waits for long.",
                {"{{state}}": "touchline_airflow_tasks"}, "short",
            ),
            Panel(
                "Tasks that ended, 24 h", "By DAG and state. Normal: success, and some skipped.",
                {"{{dag}} {{state}}": "touchline_airflow_finished_tasks"}, "short",
            ),
            Panel(
                "How long tasks take", "The slowest ten, as of their last success.",
                {"{{dag}} {{task}}": "topk(10, touchline_airflow_task_duration_seconds)"}, "s", "bargauge", decimals=1,
            ),
            Panel(
                "Pools", "Slots in use. At 100 % tasks wait; each source has a pool of its own.",
                {"{{pool}}": "touchline_airflow_pool_used_slots / touchline_airflow_pool_slots"},
                "percentunit",
                decimals=0,
            ),
            Panel(
                "Waiting for a slot", "Tasks, by pool. Normal: 0, or few for minutes.",
                {"{{pool}}": "touchline_airflow_pool_queued"}, "short",
            ),
            Panel(
                "News that waits", "Assets whose news a DAG has not begun to work on. Normal: 0, or few for minutes.",
                {"{{dag}}": or_none("touchline_airflow_waiting_asset_events")}, "short", width=12,
            ),
            Panel(
                "Since when it waits",
                "The oldest of them, by the wall clock. A DAG that is paused, or a run that hangs, lets it grow.",
                {"{{dag}}": or_none("time() - touchline_airflow_oldest_waiting_asset_event_timestamp_seconds")},
                "s",
                width=12,
            ),
        ),
    },
)  # fmt: skip
