"""The metrics exporter: what Prometheus scrapes of the pipeline, the database, Airflow and MLflow."""
