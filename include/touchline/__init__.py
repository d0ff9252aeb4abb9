"""Touchline forecasts football matches, and can prove every forecast."""

__version__ = "0.1.0"
