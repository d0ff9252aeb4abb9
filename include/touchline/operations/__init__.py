"""Starting, following, checking and repairing a running Touchline."""
