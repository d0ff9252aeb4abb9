"""Competitions and teams: canonical names."""
