"""The seeds of deductions and of table rules: every row can be true."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise

import pytest

from touchline.identity.competitions import SEED
from touchline.sources.seasons import start_year_of

RULES = {"split", "halved", "apertura_clausura", "groups", "points_per_match"}


def seed(name: str) -> list[dict[str, str]]:
    with SEED.with_name(f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["point_deduction", "table_rule"])
def test_rows_are_of_known_competitions_and_complete(name: str):
    known = {row["competition"] for row in seed("competition")}
    for row in seed(name):
        assert row["competition"] in known
        assert all(value for column, value in row.items() if column != "last_season"), row


def test_deductions_are_known_in_their_season_or_near_it_and_never_give_back_more():
    points: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in sorted(seed("point_deduction"), key=lambda row: row["known_on"]):
        day = date.fromisoformat(row["known_on"])
        # Between two seasons it may be of either: that of 2019/20 ended in August.
        earliest, latest = (
            start_year_of(row["competition"], day + timedelta(days=days)) for days in (-90, 90)
        )
        assert earliest <= int(row["season"][:4]) <= latest, row
        team = (row["competition"], row["season"], row["team"])
        points[team] += int(row["points"])
        assert points[team] >= 0, row


def test_spans_of_rules_do_not_overlap():
    spans: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in seed("table_rule"):
        assert row["rule"] in RULES
        spans[row["competition"]].append((row["first_season"], row["last_season"] or "9999"))
    for found in spans.values():
        assert all(first <= last for first, last in found)
        assert all(last < first for (_, last), (first, _) in pairwise(sorted(found)))
