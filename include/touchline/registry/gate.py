"""Settle a registered version: its verdict, its alias, and a baseline where no model may be champion.

A kill at any point does no harm: the verdict is recorded last, and a version without one is judged again.
"""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from touchline.errors import ModelUnavailable
from touchline.registry import models
from touchline.registry.fallback import BASELINE, register_baseline
from touchline.registry.logged_run import RECIPE, Training
from touchline.registry.model_card import write_card
from touchline.registry.promotion import Contestant, Rules, Verdict, judge, walk_forward_of
from touchline.registry.tracking import Registry
from touchline.settings import Promotion, Settings

VERDICT: Final = "verdict"
AWAITING_APPROVAL: Final = "awaiting approval"


def is_settled(registry: Registry, version: str) -> bool:
    """True when a version has its verdict. Without a usable champion, every verdict is open again."""
    tags = registry.client.get_model_version(registry.model_name, version).tags
    return VERDICT in tags and _readable_champion(registry) is not None


def settle_version(registry: Registry, settings: Settings, version: str, training: Training) -> None:
    """Judge a version, move the aliases accordingly, write its card, and record the verdict."""
    champion = _readable_champion(registry)
    verdict = _verdict(registry, settings.promotion, version, champion, training)
    state = _move_aliases(registry, settings.promotion, version, champion, verdict)
    reasons = list(verdict.reasons)
    if _needs_baseline(registry, training, champion, verdict, state):
        baseline = register_baseline(registry, settings, training)
        reason = f"version {version} may not be champion"
        # Recorded first, because a version that is champion already is not judged again.
        _note(registry, baseline, "promoted", Verdict("promoted", (reason,)))
        models.promote(registry, baseline)
        reasons.append(f"forecasts fall back to version {baseline}, the market's prices")
    _note(registry, version, state, Verdict(verdict.state, tuple(reasons), verdict.comparison))


def _verdict(
    registry: Registry, promotion: Promotion, version: str, champion: str | None, training: Training
) -> Verdict:
    if champion == version:
        return Verdict("promoted", ("it was the champion already",))
    rules = Rules(
        promotion.confidence, timedelta(days=promotion.patience_days), training.parameters.seed
    )  # fmt: skip
    new = Contestant(
        training.predictions, training.forecaster.primary, training.recipe, training.matches["kickoff_at"].max()
    )  # fmt: skip
    holder = None if champion is None else _contestant(registry, champion)
    verdict = judge(new, holder, training.leaks, rules)
    recipe_of_champion = None if holder is None else holder.recipe
    is_taken_back = new.recipe != recipe_of_champion and new.recipe in _taken_back(registry)
    if verdict.state == "promoted" and is_taken_back:
        reason = "a version with the same recipe was rolled back; promote by hand if wanted"
        return Verdict("challenger", (reason, *verdict.reasons), verdict.comparison)
    return verdict


def _move_aliases(
    registry: Registry, promotion: Promotion, version: str, champion: str | None, verdict: Verdict
) -> str:
    """Move the aliases as the verdict demands; returns the version's state afterwards."""
    name = registry.model_name
    if verdict.state == "promoted":
        if not promotion.needs_approval or version == champion:
            models.promote(registry, version)
            return "promoted"
        registry.client.set_registered_model_alias(name, models.CANDIDATE, version)
    if verdict.state != "refused":
        registry.client.set_registered_model_alias(name, models.CHALLENGER, version)
    return AWAITING_APPROVAL if verdict.state == "promoted" else verdict.state


def _needs_baseline(
    registry: Registry, training: Training, champion: str | None, verdict: Verdict, state: str
) -> bool:
    """True without a champion, or when the champion's recipe fell below the market and no baseline was rolled back."""
    if champion is None:
        return state != "promoted"
    recipe = registry.client.get_model_version(registry.model_name, champion).tags.get(RECIPE)
    has_fallen = verdict.is_below_floor and recipe == training.recipe
    return has_fallen and BASELINE not in _taken_back(registry)


def _note(registry: Registry, version: str, state: str, verdict: Verdict) -> None:
    name = registry.model_name
    registry.client.set_model_version_tag(name, version, models.STATE, state)
    write_card(registry, version, state, verdict)
    registry.client.set_model_version_tag(name, version, VERDICT, verdict.reason)


def _readable_champion(registry: Registry) -> str | None:
    """The champion's version; None when there is none, or this code cannot forecast with it."""
    try:
        return models.load(registry).version
    except ModelUnavailable:
        return None


def _contestant(registry: Registry, version: str) -> Contestant:
    found = registry.client.get_model_version(registry.model_name, version)
    with tempfile.TemporaryDirectory() as folder:
        predictions = walk_forward_of(registry.client.get_run(found.run_id), Path(folder))
    until = datetime.fromisoformat(found.tags["trained_until"])
    return Contestant(predictions, found.tags["primary"], found.tags.get(RECIPE, ""), until)


def _taken_back(registry: Registry) -> set[str]:
    """Recipes of the versions that were rolled back by hand."""
    found = registry.client.search_model_versions(
        f"name = '{registry.model_name}' and tags.{models.ROLLED_BACK} = 'true'"
    )
    return {str(each.tags.get(RECIPE, "")) for each in found}
