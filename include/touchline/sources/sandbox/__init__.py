"""The sandbox: a simulated football world behind the same files and formats as football-data.co.uk."""

from touchline.sources.sandbox.clock import read_clock

__all__ = ["read_clock"]
