"""Statistics that a few wrong rows cannot move."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

# The MAD of a normal distribution times this is its standard deviation (Rousseeuw & Croux 1993).
MAD_TO_SIGMA = 1.4826


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


def population_stability(
    reference: NDArray[np.float64], current: NDArray[np.float64], bins: int = 10
) -> float:
    """Population stability index between two samples, in nats; missing values are a bin of their own.

    Sum of (q - p) ln(q / p) over quantile bins of the reference; above 0.25 is by custom a shift (Siddiqi 2006).
    """
    known = reference[np.isfinite(reference)]
    if not len(known) or not len(current):
        return 0.0
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = []
    for values in (reference, current):
        finite = np.isfinite(values)
        counts = np.bincount(np.searchsorted(edges, values[finite], side="right"), minlength=len(edges) + 1)
        # Half an observation a bin, so that an empty one costs much, but not everything.
        counted = np.append(counts, np.count_nonzero(~finite)) + 0.5
        shares.append(counted / counted.sum())
    p, q = shares
    return float(((q - p) * np.log(q / p)).sum())
