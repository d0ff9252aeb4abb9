"""Grafana's dashboards as they are described here; `make dashboards` writes ../dashboards/*.json."""
