"""From a prediction back to the payloads it came from."""
