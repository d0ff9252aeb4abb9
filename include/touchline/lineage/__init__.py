"""Where everything came from: predictions to payload bytes, payloads to predictions, columns, OpenLineage events."""
