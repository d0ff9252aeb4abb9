"""`python -m benchmarks`: run every measurement, one after the other."""

from __future__ import annotations

import importlib
import pkgutil

import benchmarks

if __name__ == "__main__":
    for module in sorted(item.name for item in pkgutil.iter_modules(benchmarks.__path__)):
        if module != "__main__":
            measurement = importlib.import_module(f"benchmarks.{module}")
            # Modules without a `main` are pieces of the others.
            getattr(measurement, "main", lambda: None)()
