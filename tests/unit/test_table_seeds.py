"""The seeds of deductions, table rules and formats of seasons: every row can be true."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from touchline.forecasting.season_format import OUTCOMES, format_of
from touchline.identity.competitions import SEED
from touchline.sources.seasons import start_year_of

# Broken off in spring 2020 or with a match that was never played; or two files with a club under two names.
BROKEN_OFF = {
    *(f"{code} 2019/20" for code in ("E2", "E3", "EC", "SC0", "SC1", "SC2", "SC3", "F1", "F2", "N1", "B1")),
    "G1 2014/15", "G1 2018/19", "N1 2010/11", "P1 2011/12",
}  # fmt: skip
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


@pytest.mark.parametrize(("name", "key"), [("season_format", ()), ("season_place", ("outcome",))])
def test_spans_of_formats_and_places_do_not_overlap_and_are_of_known_competitions(
    name: str, key: tuple[str, ...]
):
    known = {row["competition"] for row in seed("competition")}
    spans: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for row in seed(name):
        assert row["competition"] in known
        spans[row["competition"], *(row[column] for column in key)].append(
            (row["first_season"], row["last_season"] or "9999")
        )
    for found in spans.values():
        assert all(first <= last for first, last in found)
        assert all(last < first for (_, last), (first, _) in pairwise(sorted(found)))


def test_every_format_can_be_read_and_its_places_are_in_the_table():
    for row in seed("season_format"):
        found = format_of(
            seed("season_format"), seed("season_place"), row["competition"], row["first_season"]
        )
        assert found is not None
        assert found.places.keys() <= set(OUTCOMES)
        assert all(1 <= first <= last <= found.n_teams for first, last in found.places.values()), row
        assert sum(size for size, _ in found.groups) in (0, found.n_teams)
        assert found.places.get("title", (1, 1)) == (1, 1)


def test_a_season_without_a_format_has_none():
    assert format_of(seed("season_format"), seed("season_place"), "E0", "1999/00") is None


@pytest.mark.slow
def test_formats_are_those_of_the_real_files(season_files: Path):
    """Teams and matches of every season that was played to its end."""
    wrong, n_read = [], 0
    for year in range(2010, 2023):
        season = f"{year}/{(year + 1) % 100:02d}"
        for path in sorted((season_files / f"{year % 100:02d}{(year + 1) % 100:02d}").glob("*.csv")):
            format_ = format_of(seed("season_format"), seed("season_place"), path.stem, season)
            if format_ is None or f"{path.stem} {season}" in BROKEN_OFF:
                continue
            with path.open(newline="", encoding="latin-1") as file:
                played = [row for row in csv.DictReader(file) if row.get("HomeTeam") and row.get("FTHG")]
            teams = {row[f"{side}Team"] for row in played for side in ("Home", "Away")}
            n = format_.n_teams
            further = sum(size * (size - 1) // 2 * meetings for size, meetings in format_.groups)
            expected = n, n * (n - 1) // 2 * format_.n_meetings + further
            n_read += 1
            if (len(teams), len(played)) != expected:
                wrong.append((path.stem, season, len(teams), len(played), expected))
    assert n_read > 250
    assert wrong == []
