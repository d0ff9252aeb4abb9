"""Describe the columns of features.match_features for dbt: `python -m touchline.features.columns` writes the YAML."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any, Final

import yaml

from touchline.features.catalogue import CATALOGUE, Feature
from touchline.settings import PROJECT_ROOT

YAML: Final = PROJECT_ROOT / "dbt_project" / "models" / "features" / "match_features.yml"
MARK: Final = (
    "      # What follows is written by `python -m touchline.features.columns` from the catalogue.\n"
)


def with_columns(text: str) -> str:
    """The YAML of match_features with everything after the mark replaced by the catalogue's columns."""
    before, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError(f"{YAML} lacks the line that the columns follow: {MARK.strip()}")
    written = yaml.safe_dump(
        [_column(feature) for feature in CATALOGUE],
        sort_keys=False, allow_unicode=True, width=112, default_flow_style=None,
    )  # fmt: skip
    return before + mark + textwrap.indent(written, " " * 6)


def _column(feature: Feature) -> dict[str, Any]:
    meta: dict[str, Any] = {"group": feature.group, "unit": feature.unit}
    if feature.is_seasonal:
        meta["is_seasonal"] = True
    if feature.taken_from:
        meta["taken_from"] = feature.taken_from
    if feature.rests_on:
        meta["rests_on"] = list(feature.rests_on)
    return {
        "name": feature.name,
        "description": f"{feature.text[0].upper()}{feature.text[1:]}.",
        "data_type": "double precision",
        "config": {"meta": meta},
    }


def main(path: Path) -> None:
    """Write the columns into the file."""
    path.write_text(with_columns(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else YAML)
