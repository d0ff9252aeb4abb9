"""What everything stands on: PostgreSQL, MLflow, the machine, and what measures them."""

from __future__ import annotations

from typing import Final

from described.panels import Dashboard, Panel, an_hour, or_none, stat

IN_USE: Final = "sum by (job, instance) (touchline_database_connections)"
CONNECTIONS: Final = f"{IN_USE} / on (job, instance) touchline_database_max_connections"
CPU: Final = '1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))'
MEMORY: Final = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
DISK: Final = (
    'max by (instance, device) (1 - node_filesystem_avail_bytes{fstype!~"tmpfs|squashfs|iso9660"} '
    "/ node_filesystem_size_bytes)"
)


def rate_of(metric: str) -> str:
    """PromQL of a counter of databases, a second over five minutes."""
    return f"sum by (database) (rate(touchline_database_{metric}_total[5m]))"


SYSTEM: Final = Dashboard(
    "system",
    "Database and system",
    "PostgreSQL, MLflow, the machine, and the exporter.",
    {
        "Now": (
            stat(
                "PostgreSQL", "touchline_database_up", "bool_yes_no", "Whether it answers the exporter.", bad_below=1,
                alert="DatabaseDown",
            ),
            stat(
                "Connections in use", CONNECTIONS, "percentunit", "Of those that PostgreSQL takes. Normal: under half.",
                bad_above=0.8, decimals=0, alert="DatabaseConnectionsHigh",
            ),
            stat(
                "Processors", CPU, "percentunit",
                "Busy, over five minutes. A training takes all there are for minutes.",
                bad_above=0.85, decimals=0, alert="NodeCpuHigh",
            ),
            stat(
                "Memory", MEMORY, "percentunit",
                "Taken; what can be given back at once does not count.",
                bad_above=0.85,
                decimals=0, alert="NodeMemoryHigh",
            ),
            stat(
                "Fullest disk", f"max({DISK})", "percentunit", "PostgreSQL stops when it cannot write.", bad_above=0.85,
                decimals=0, alert="NodeDiskFull",
            ),
            stat(
                "MLflow", "touchline_mlflow_up", "bool_yes_no", "Whether it answers the exporter.", bad_below=1,
                alert="MlflowDown",
            ),
        ),
        "PostgreSQL": (
            Panel(
                "Connections", "By state. `idle in transaction` for long holds up others.",
                {"{{state}}": "sum by (state) (touchline_database_connections)"}, "short", alert=
                "DatabaseConnectionsHigh",
            ),
            Panel(
                "Transactions a second", "Committed, by database.",
                {"{{database}}": rate_of("commits")}, "ops",
            ),
            Panel(
                "Rolled back a second", "Normal: few. Many with few commits: an error that is tried again and again.",
                {"{{database}}": rate_of("rollbacks")}, "ops",
            ),
            Panel(
                "Waiting",
                "Locks that somebody waits for, and queries that have been running for more than 5 seconds. Normal: "
                "0, or few during a build.",
                {"locks": "touchline_database_waiting_locks", "slow queries": "touchline_database_slow_queries"},
                "short",
            ),
            Panel(
                "Longest transaction", "Normal: minutes during a build. Hours keep dead rows from being cleaned up.",
                {"longest": "touchline_database_longest_transaction_seconds"}, "s",
            ),
            Panel(
                "Deadlocks an hour", "Normal: 0.",
                {"{{database}}": an_hour("touchline_database_deadlocks_total", "database")}, "short",
            ),
            Panel(
                "Read from memory",
                "Share of blocks that PostgreSQL found in its own memory. Normal: over 95 % but after a build.",
                {"{{database}}": f"{rate_of('blocks_hit')} / ({rate_of('blocks_hit')} + {rate_of('blocks_read')})"},
                "percentunit", decimals=1,
            ),
            Panel(
                "Size", "Of each database.",
                {"{{database}}": "touchline_database_size_bytes"}, "bytes", alert="NodeDiskFull",
            ),
            Panel(
                "Largest tables", "With their indexes and partitions.",
                {"{{schema}}.{{table}}": "topk(20, touchline_table_size_bytes)"}, "bytes", "bargauge",
            ),
            Panel(
                "Dead rows",
                "Share of dead rows in the largest tables. Normal: under 20 %; more: see what keeps autovacuum.",
                {"{{schema}}.{{table}}": "topk(10, touchline_table_dead_rows_ratio)"}, "percentunit", "bargauge",
                decimals=1,
            ),
            Panel(
                "Replicas", "Standby servers that are connected; none on a laptop.",
                {"replicas": "touchline_replicas"}, "short",
            ),
            Panel(
                "Behind", "Bytes of the log that a standby has not replayed.",
                {"{{replica}}": or_none("touchline_replication_lag_bytes")}, "bytes",
            ),
        ),
        "Machine": (
            Panel(
                "Processors", "Busy, over five minutes.",
                {"{{instance}}": CPU}, "percentunit", bad_above=0.85, alert="NodeCpuHigh", width=6,
            ),
            Panel(
                "Memory", "Taken.",
                {"{{instance}}": MEMORY}, "percentunit", bad_above=0.85, alert="NodeMemoryHigh", width=6,
            ),
            Panel(
                "Disks", "Full.",
                {"{{device}}": DISK}, "percentunit", bad_above=0.85, alert="NodeDiskFull", width=6,
            ),
            Panel(
                "Network", "Bytes a second, loopback left out.",
                {
                    "in {{device}}": 'rate(node_network_receive_bytes_total{device!="lo"}[5m])',
                    "out {{device}}": 'rate(node_network_transmit_bytes_total{device!="lo"}[5m])',
                },
                "Bps", width=6,
            ),
        ),
        "What measures": (
            Panel(
                "What Prometheus reaches", "1 for each target that answered its last scrape.",
                {"{{job}}": "up"}, "short", bad_below=1, alert="ExporterDown", width=6,
            ),
            Panel(
                "How long a scrape takes", "Normal: under a second.",
                {"{{job}}": "scrape_duration_seconds"}, "s", decimals=3, width=6,
            ),
            Panel(
                "Queries of the exporter", "The slowest ten; each has a time-out of its own.",
                {"{{query}}": "topk(10, touchline_query_duration_seconds)"}, "s", "bargauge", decimals=3, width=6,
            ),
            Panel(
                "Queries that fail, series dropped",
                "Normal: 0. A failed query has no metrics; beyond its bound a query drops series.",
                {
                    "failing": "count(touchline_query_success == 0) or vector(0)",
                    "dropped": "sum(touchline_query_series_dropped)",
                },
                "short", bad_above=1, alert="MetricsQueryFailing", width=6,
            ),
            Panel(
                "Since each query was read", "By the wall clock. Heavy queries are read less often than every scrape.",
                {"{{query}}": "topk(10, time() - touchline_query_timestamp_seconds)"}, "s", width=12,
            ),
            Panel(
                "MLflow answers within", "Normal: under 0.1 s.",
                {"MLflow": "touchline_mlflow_response_seconds"}, "s", alert="MlflowDown", decimals=3, width=12,
            ),
        ),
    },
)  # fmt: skip
