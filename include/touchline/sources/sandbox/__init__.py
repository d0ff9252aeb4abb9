"""The sandbox: a simulated football world that speaks the formats of all providers, and can be told to fail."""

from touchline.sources.sandbox.addresses import provider_address
from touchline.sources.sandbox.clock import read_clock

__all__ = ["provider_address", "read_clock"]
