"""Convert a forecaster's parameters to flat values by dotted name, as MLflow keeps them, and back."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from touchline.forecasting.specs import ForecasterParameters

log = logging.getLogger(__name__)

Part = TypeVar("Part")


def flat(parameters: ForecasterParameters) -> dict[str, Any]:
    """Every value by its dotted name, such as `no_odds.trees.rounds`."""
    return _flat(parameters, "")


def with_values(base: ForecasterParameters, values: Mapping[str, Any]) -> ForecasterParameters:
    """`base` with some values replaced; they may be text, as MLflow keeps them.

    Values stored by other code need not fit this code: a name that `base` does not have, or a value of another kind
    than the one it replaces, is ignored with a warning.
    """
    known = flat(base)
    for name in sorted(values.keys() - known.keys()):
        log.warning("stored parameter %s is unknown to this code and is ignored", name)
    usable = {}
    for name in known.keys() & values.keys():
        try:
            usable[name] = _read(values[name], known[name])
        except (TypeError, ValueError):
            log.warning("stored parameter %s is %r, which cannot be used: ignored", name, values[name])
    return _replaced(base, usable, "")


def _flat(part: Any, prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields(part):
        value, name = getattr(part, field.name), f"{prefix}{field.name}"
        values |= _flat(value, f"{name}.") if is_dataclass(value) else {name: value}
    return values


def _read(value: Any, current: Any) -> Any:
    if str(value) == str(current):
        return current
    if isinstance(current, str):
        return str(value)
    if isinstance(current, bool) or not isinstance(current, int | float):
        raise TypeError(f"{type(current).__name__} cannot be read back")
    number = float(value)
    if not math.isfinite(number) or (isinstance(current, int) and number != int(number)):
        raise ValueError(f"{value} does not fit where {current} stands")
    return int(number) if isinstance(current, int) else number


def _replaced(part: Part, values: Mapping[str, Any], prefix: str) -> Part:
    changes: dict[str, Any] = {}
    for field in fields(part):  # type: ignore[arg-type]
        current, name = getattr(part, field.name), f"{prefix}{field.name}"
        if is_dataclass(current):
            changes[field.name] = _replaced(current, values, f"{name}.")
        elif name in values:
            changes[field.name] = values[name]
    return replace(part, **changes)  # type: ignore[type-var]
