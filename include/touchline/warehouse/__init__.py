"""The dbt project, run in process."""
