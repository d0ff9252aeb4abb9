"""What is made from what: OpenLineage events, edges between runs and datasets, columns and their sources."""
