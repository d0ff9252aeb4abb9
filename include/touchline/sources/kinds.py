"""The kinds of facts that sources give, apart from what reading them takes: DAG files need only the words."""

from __future__ import annotations

from typing import Literal

Kind = Literal["fixtures", "odds", "scores"]
KINDS: tuple[Kind, ...] = ("fixtures", "odds", "scores")
