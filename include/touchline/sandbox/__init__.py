"""The sandbox: a simulated football world that speaks the formats of all providers, and can be told to fail."""

from touchline.sandbox.clock import read_clock

__all__ = ["read_clock"]
