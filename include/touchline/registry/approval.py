"""A version that passed the gate and waits for a person: who it is, whether someone was asked, and the promotion."""

from __future__ import annotations

from dataclasses import dataclass

from touchline.registry import models
from touchline.registry.model_card import read_card
from touchline.registry.tracking import Registry

ASKED = "asked"


@dataclass(frozen=True)
class Candidate:
    """A version that waits for approval; `was_asked` is true when someone has been asked."""

    version: str
    was_asked: bool


@dataclass(frozen=True)
class ApprovalReport:
    """What became of an approval."""

    is_promoted: bool
    summary: str


def waiting_candidate(registry: Registry) -> Candidate | None:
    """The version that waits for approval, None when none does."""
    version = models.aliased_version(registry, models.CANDIDATE)
    if version is None or version == models.champion_version(registry):
        return None
    tags = registry.client.get_model_version(registry.model_name, version).tags
    return Candidate(version, ASKED in tags)


def question(registry: Registry, version: str) -> str:
    """What a person is shown who decides on a version, as Markdown: its model card."""
    return read_card(registry, version)


def note_asked(registry: Registry, version: str) -> None:
    """Record that someone was asked to approve a version."""
    registry.client.set_model_version_tag(registry.model_name, version, ASKED, "true")


def promote_approved(registry: Registry, version: str | None = None) -> ApprovalReport:
    """Promote an approved version as `touchline models promote` does, or whichever waits if none is named.

    Does nothing when that version does not wait any more, and says why. Raises ModelUnavailable as `models.promote`.
    """
    found = waiting_candidate(registry)
    if found is not None and version in (None, found.version):
        return ApprovalReport(True, models.promote(registry, found.version).summary)
    waits = "none does" if found is None else f"version {found.version} does"
    champion = models.champion_version(registry)
    return ApprovalReport(
        False,
        f"Version {version} does not wait for approval any more ({waits}); the champion is version {champion}.",
    )
