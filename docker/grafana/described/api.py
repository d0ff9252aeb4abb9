"""The read API against its objectives: 99 of 100 requests without a failure of ours, 95 of 100 within 0.2 s."""

from __future__ import annotations

from typing import Final

from described.panels import Dashboard, Panel, or_none, stat

REQUESTS: Final = "touchline_api_requests_total"
SECONDS: Final = "touchline_api_request_seconds"


def quantile(share: float) -> str:
    """PromQL of how long the slowest but (1 - share) of all requests took."""
    return f"histogram_quantile({share}, sum by (le) (rate({SECONDS}_bucket[5m])))"


API: Final = Dashboard(
    "api",
    "API",
    "Requests, errors and latency of the read API, and how fast they burn the month's budget.",
    {
        "Now": (
            stat(
                "Up", 'min(up{job="api"})', "bool_yes_no", "Whether Prometheus reached the API at its last scrape.",
                bad_below=1, alert="ApiDown",
            ),
            stat(
                "Requests a second", f"sum(rate({REQUESTS}[5m]))", "reqps",
                "Over five minutes, Prometheus' own among them.",
                decimals=2,
            ),
            stat(
                "Errors", "touchline:api_errors:ratio_rate5m", "percentunit",
                "Share of requests with a status of 500 or more, over five minutes. Promised: under 1 %.",
                bad_above=0.01, decimals=2, alert="ApiErrorBudgetBurn",
            ),
            stat(
                "Slower than 0.2 s", "touchline:api_slow:ratio_rate5m", "percentunit",
                "Share of requests, over five minutes. Promised: under 5 %.",
                bad_above=0.05, decimals=2, alert="ApiLatencyBudgetBurn",
            ),
            stat(
                "95 % within", quantile(0.95), "s", "Over five minutes and all routes. Promised: 0.2 s.",
                bad_above=0.2, decimals=3, alert="ApiLatencyBudgetBurn",
            ),
            stat(
                "Requests, 1 h", "touchline:api_requests:increase1h", "short",
                "Below a hundred in an hour nobody is alerted: a single failure is then a great share.", decimals=0,
            ),
        ),
        "Requests": (
            Panel(
                "By route", "A second, over five minutes.",
                {"{{route}}": f"topk(15, sum by (route) (rate({REQUESTS}[5m])))"}, "reqps",
            ),
            Panel(
                "By status", "A second. 429 is a user at a limit, 401 and 403 a key; from 500 on it is our failure.",
                {"{{status}}": f"sum by (status) (rate({REQUESTS}[5m]))"}, "reqps",
            ),
            Panel(
                "Errors by route", "A second, statuses of 500 and more. Normal: none.",
                {"{{route}} {{status}}": or_none(f'sum by (route, status) (rate({REQUESTS}{{status=~"5.."}}[5m]))')},
                "reqps", alert="ApiErrorBudgetBurn",
            ),
        ),
        "Latency": (
            Panel(
                "Of all routes", "Half, 95 and 99 of 100 requests within, over five minutes.",
                {"50 %": quantile(0.5), "95 %": quantile(0.95), "99 %": quantile(0.99)}, "s", bad_above=0.2,
                alert="ApiLatencyBudgetBurn",
            ),
            Panel(
                "95 % within, by route", "Over five minutes.",
                {"{{route}}": "touchline:api_request_seconds:p95_rate5m"}, "s", bad_above=0.2, alert=
                "ApiLatencyBudgetBurn",
            ),
            Panel(
                "Mean, by route", "Over five minutes.",
                {"{{route}}": f"sum by (route) (rate({SECONDS}_sum[5m])) / sum by (route) (rate({SECONDS}_count[5m]))"},
                "s",
            ),
        ),
        "Budgets": (
            Panel(
                "Errors: how fast the budget burns",
                "1 spends the month's budget (1 % of requests) in a month. The alert begins at 14.4 over an hour "
                "and five minutes, or at 6 over six hours and half an hour.",
                {
                    window: f"touchline:api_errors:ratio_rate{window} / 0.01" for window in ("5m", "30m", "1h", "6h")
                },
                "none", bad_above=6, decimals=2, alert="ApiErrorBudgetBurn", width=12,
            ),
            Panel(
                "Latency: how fast the budget burns",
                "1 spends the month's budget (5 % of requests slower than 0.2 s) in a month.",
                {
                    window: f"touchline:api_slow:ratio_rate{window} / 0.05" for window in ("5m", "30m", "1h", "6h")
                },
                "none", bad_above=6, decimals=2, alert="ApiLatencyBudgetBurn", width=12,
            ),
        ),
    },
)  # fmt: skip
