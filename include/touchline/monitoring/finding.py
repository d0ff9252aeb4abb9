"""What a drift detector found about one subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One row of ops.drift_metric. `value` is in the metric's own unit; below `threshold` it is never drift.

    `detail` says the same in familiar units, as JSON values. `is_told` is True when a training has followed an
    earlier alarm on this evidence.
    """

    metric: str
    subject: str
    value: float
    threshold: float
    n_matches: int
    is_drift: bool
    detail: Mapping[str, Any] = field(default_factory=dict)
    is_told: bool = False

    @property
    def is_alarm(self) -> bool:
        """True when this is drift that no training has followed."""
        return self.is_drift and not self.is_told
