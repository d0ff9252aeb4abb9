"""Which alerts fire, which did, for how long, and whether operators were told."""

from __future__ import annotations

from typing import Final

from described.panels import Dashboard, Panel, an_hour, or_none, stat

FIRING: Final = 'ALERTS{alertstate="firing"}'
WEEK: Final = "[7d]"


def firing(severity: str) -> str:
    """PromQL of how many alerts of a severity fire."""
    return f'count(ALERTS{{alertstate="firing", severity="{severity}"}}) or vector(0)'


ALERTS: Final = Dashboard(
    "alerts",
    "Alert history",
    "Which alerts fire, which did, for how long, and whether operators were told.",
    {
        "Now": (
            stat("P1 firing", firing("P1"), "short", "Normal: 0. A page; its runbook says what to do.", bad_above=1),
            stat("P2 firing", firing("P2"), "short", "Normal: 0. A ticket.", bad_above=1),
            stat(
                "Pending", 'count(ALERTS{alertstate="pending"}) or vector(0)', "short",
                "Alerts whose condition holds, not yet for as long as it must.",
            ),
            stat(
                "Silences", 'sum(alertmanager_silences{state="active"})', "short",
                "In force, that of a declared maintenance among them: `touchline maintenance`.",
            ),
            stat(
                "Maintenance until",
                or_none("(touchline_maintenance_until_timestamp_seconds > time()) * 1000"), "dateTimeAsIso",
                "Until when a maintenance is declared, by the wall clock; 1970 when none is.",
            ),
            stat(
                "Notifications failed, 24 h", "sum(increase(alertmanager_notifications_failed_total[24h]))", "short",
                "Normal: 0. Otherwise operators are not told: see Alertmanager's log.", bad_above=1, decimals=0,
            ),
        ),
        "Which": (
            Panel(
                "Firing", "What fires now, with its labels.",
                {"": or_none(FIRING)}, "short", "table", width=12,
            ),
            Panel(
                "Since when", "How long the condition of each alert has held, by the wall clock.",
                {"{{alertname}}": or_none("time() - ALERTS_FOR_STATE")}, "s", "bargauge", width=12,
            ),
            Panel(
                "When which fired", "One line for each alert.",
                {"{{alertname}}": or_none(f"max by (alertname) ({FIRING})")}, "short", "state-timeline", width=24,
            ),
        ),
        "How long": (
            Panel(
                "Time in which each fired, 7 days",
                "What fires often and asks for nothing wants a better rule.",
                {
                    "{{alertname}}": or_none(f"sum by (alertname) (count_over_time({FIRING}{WEEK})) * 15")
                },
                "s", "bargauge",
            ),
            Panel(
                "How often each began, 7 days", "Changes of when the condition began to hold.",
                {"{{alertname}}": or_none(f"sum by (alertname) (changes(ALERTS_FOR_STATE{WEEK}) + 1)")}, "short",
                "bargauge",
            ),
            Panel(
                "Firing, by severity", "Over time.",
                {"P1": firing("P1"), "P2": firing("P2")}, "short",
            ),
        ),
        "Whether operators were told": (
            Panel(
                "Notifications an hour", "Sent by Alertmanager, by way.",
                {"{{integration}}": an_hour("alertmanager_notifications_total", "integration")}, "short",
            ),
            Panel(
                "Failed notifications an hour", "Normal: 0.",
                {"{{integration}}": an_hour("alertmanager_notifications_failed_total", "integration")}, "short",
                bad_above=1,
            ),
            Panel(
                "Alerts in Alertmanager", "By state; suppressed are silenced, or explained by another.",
                {"{{state}}": "sum by (state) (alertmanager_alerts)"}, "short",
            ),
            Panel(
                "Prometheus to Alertmanager", "Alerts sent an hour, and those dropped. Normal: none dropped.",
                {
                    "sent": an_hour("prometheus_notifications_sent_total"),
                    "dropped": an_hour("prometheus_notifications_dropped_total"),
                },
                "short",
            ),
            Panel(
                "Failed evaluations of rules, 1 h", "Normal: 0. A rule that cannot be evaluated alerts nobody.",
                {"failed": "sum(increase(prometheus_rule_evaluation_failures_total[1h]))"},
                "short",
                bad_above=1,
            ),
            Panel(
                "Series in Prometheus", "Normal: steady. A rise without end is a label that takes any value.",
                {"series": "prometheus_tsdb_head_series"}, "short",
            ),
        ),
    },
)  # fmt: skip
