"""Statistics that a few wrong rows cannot move."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

# The MAD of a normal distribution times this is its standard deviation (Rousseeuw & Croux 1993).
MAD_TO_SIGMA = 1.4826
N_BINS = 10


def sigma(values: pl.Expr, floor: float) -> pl.Expr:
    """Robust standard deviation of values that are centred already: scaled median of |values|, at least `floor`."""
    return pl.max_horizontal(values.abs().median() * MAD_TO_SIGMA, pl.lit(floor))


def centre_and_sigma(values: NDArray[np.float64], floor: float) -> tuple[float, float]:
    """Median and scaled MAD (at least `floor`) of the finite values; raises ValueError when there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise ValueError("no finite value has no median")
    centre = float(np.median(finite))
    return centre, max(MAD_TO_SIGMA * float(np.median(np.abs(finite - centre))), floor)


def stability_index(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    """Population stability index between two samples, in nats, over tenths of the reference (Siddiqi 2006).

    Sum of (now - before) ln(now / before) over the shares of the bins; above 0.25 is by custom a shift. What is unknown
    (not finite) is a bin of its own. Each bin counts half an observation too many, so that an empty one costs much, but
    not everything.
    """
    known = reference[np.isfinite(reference)]
    cuts = np.unique(np.quantile(known, np.arange(1, N_BINS) / N_BINS)) if len(known) else np.empty(0)
    before, now = (
        np.bincount(
            np.where(np.isfinite(values), 1 + np.searchsorted(cuts, values), 0), minlength=len(cuts) + 2
        )
        for values in (reference, current)
    )
    used = (before + now) > 0
    before, now = ((n[used] + 0.5) / (n[used] + 0.5).sum() for n in (before, now))
    return float(((now - before) * np.log(now / before)).sum())
