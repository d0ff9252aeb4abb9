"""A past season played day by day with a virtual clock, through the steps that the DAGs run."""
