"""The findings of a gate, in words that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One expectation's outcome; `samples` are up to five offending values with their row's identity.

    `broken` are the row keys that broke it, by competition ('' where the row has none). A failure without any row (a
    missing or empty table) cannot be assigned to competitions.
    """

    suite: str
    expectation: str
    column: str | None
    severity: str
    success: bool
    observed: str
    n_unexpected: int | None
    samples: tuple[str, ...]
    advice: str = ""
    broken: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_pinned(self) -> bool:
        """True when every row that broke it names its competition."""
        return bool(self.broken) and all(competition for competition, _ in self.broken)

    @property
    def competitions(self) -> tuple[str, ...]:
        """The competitions whose rows broke it."""
        return tuple(competition for competition, _ in self.broken if competition)

    def __str__(self) -> str:
        where = f"{self.suite}.{self.column}" if self.column else self.suite
        text = f"{self.expectation} on {where}: {self.observed}"
        text += "".join(f"\n      {sample}" for sample in self.samples)
        return text + (f"\n      what to do: {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class GateReport:
    """What a gate found. `held_because` says which competitions it holds now and why; `data_docs` is the page with the
    details, None when it is not written (`touchline quality docs` writes it)."""

    gate: str
    n_expectations: int
    n_warnings: int
    n_quarantined: int
    held_because: Mapping[str, str]
    findings: tuple[Finding, ...]
    data_docs: str | None

    @property
    def held(self) -> tuple[str, ...]:
        """The competitions that the gate holds."""
        return tuple(sorted(self.held_because))

    @property
    def summary(self) -> str:
        """One sentence for a log, then what failed and what to do about it."""
        held = f", {', '.join(self.held)} held" if self.held else ""
        text = (
            f"Gate {self.gate} passed: {self.n_expectations} expectations, {self.n_warnings} warnings, "
            f"{self.n_quarantined} facts in quarantine{held}."
        )
        words = {"warn": "warning", "quarantine": "left out", "block": "held"}
        failed = [finding for finding in self.findings if not finding.success]
        return text + "".join(f"\n  {words[finding.severity]}: {finding}" for finding in failed)
