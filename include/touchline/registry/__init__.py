"""Registry: models trained, logged, registered, promoted and rolled back, in MLflow."""
