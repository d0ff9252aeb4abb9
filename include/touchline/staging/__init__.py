"""Validate an installation: three phases of a simulated or real stretch of time, and whether each promise was kept."""
