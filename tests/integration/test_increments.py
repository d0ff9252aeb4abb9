"""Weeks of nightly increments, with corrections, late rows and an outage, is a full build; and it knew no more then.

Each night lands what the site would have shown and builds what changed. At some nights, and a minute before the busiest
kick-offs, the features of all matches are kept: they were made from payloads observed by then, because there were no
others. In the end, with everything landed, a full build as of each of these instants must give the same features.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from builders import season_csv
from databases import copy_of
from matchday_permutations import features_that_know_the_result
from season_folder import write_season_folder
from table_digests import table_digests
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.features.catalogue import FEATURES
from touchline.features.training import training_frame
from touchline.landing.collect import collect
from touchline.settings import Settings
from touchline.warehouse.build import BuildReport
from warehouse import build

# By day: increment by increment, tests/integration/test_warehouse_changes.py.
pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# The events below come in the first nine; a month of nights is what the real files are for.
NIGHTS = {"simulated": 9, "real": 30}
# A kick-off at which so many matches begin is built for.
MANY = 10
OUTAGE = (5, 6)
KEPT_NIGHTS = (2, 5, 8)
N_PAIRS = 1000
# What only the real files say: other markets, and who went up or down before the season.
NOT_SIMULATED = (
    "market_price_over", "market_price_under", "market_handicap", "market_n_bookmakers",
    "home_tier_change", "away_tier_change",
)  # fmt: skip
MARKET = [name for name in FEATURES if name.startswith("market_")]
REAL_COMPETITIONS = ("E0", "E1", "E2", "E3", "SC0", "SP1", "D1", "I1")
REAL_SEASONS = ("2122", "2223")

Row = dict[str, str]


@dataclass
class Month:
    """What the nights left: the warehouse, and the features of all matches as made at some instants."""

    settings: Settings
    first: datetime
    last: datetime
    reports: list[BuildReport] = field(default_factory=list)
    kept: dict[datetime, pd.DataFrame] = field(default_factory=dict)


@pytest.fixture(scope="module", params=["simulated", "real"])
def month(
    request: pytest.FixtureRequest, server: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Month]:
    """Nights of incremental builds, one after the other."""
    folder = tmp_path_factory.mktemp("month")
    if request.param == "simulated":
        write_season_folder(folder, first_year=2021, n_seasons=2)
        first = datetime(2022, 9, 1, 3, tzinfo=UTC)
    else:
        seasons: Path = request.getfixturevalue("season_files")
        for season in REAL_SEASONS:
            (folder / season).mkdir()
            for competition in REAL_COMPETITIONS:
                shutil.copy(seasons / season / f"{competition}.csv", folder / season)
        first = datetime(2023, 2, 10, 3, tzinfo=UTC)
    with copy_of(server) as settings:
        yield live_through(
            settings.model_copy(update={"source": str(folder)}), folder, first, NIGHTS[request.param]
        )


def live_through(settings: Settings, folder: Path, first: datetime, n_nights: int) -> Month:
    """Collect and build night after night, and before the busiest kick-offs, while the files change."""
    month = Month(settings, first, first + timedelta(days=n_nights))
    site = Site(folder, first)
    for night in range(n_nights + 1):
        as_of = first + timedelta(days=night)
        site.change(night)
        if night not in OUTAGE:
            collect(settings, virtual_clock(as_of), f"collect-{night}")
        month.reports += build(settings, as_of)
        if night in KEPT_NIGHTS:
            month.kept[as_of] = features(settings)
        for kickoff_at in busiest_kickoffs(settings, as_of) if night < n_nights else ():
            build(settings, kickoff_at - timedelta(minutes=1))
            month.kept[kickoff_at - timedelta(minutes=1)] = features(settings)
    return month


def features(settings: Settings) -> pd.DataFrame:
    with connect(settings, "transform") as connection:
        found = rows(
            connection,
            f"select match_id::text, kickoff_at, features_as_of, {', '.join(FEATURES)} from features.match_features",
        )
    return pd.DataFrame(found).set_index("match_id").sort_index()


def busiest_kickoffs(settings: Settings, as_of: datetime) -> list[datetime]:
    """The kick-off of the day at which most matches begin, if many do."""
    with connect(settings, "transform") as connection:
        found = rows(
            connection,
            "select kickoff_at from core.match where kickoff_at between %s and %s and status = 'scheduled' "
            "group by kickoff_at having count(*) >= %s order by count(*) desc, kickoff_at limit 1",
            (as_of + timedelta(minutes=2), as_of + timedelta(hours=20), MANY),
        )
    return [row["kickoff_at"] for row in found]


@dataclass
class Site:
    """Season files that change as the site's do: results are corrected, come late, fixtures are moved."""

    folder: Path
    first: datetime
    withheld: list[tuple[Path, int, Row]] = field(default_factory=list)

    def change(self, night: int) -> None:
        """What happens to the files before a night."""
        today = self.first.date() + timedelta(days=night)

        def days_ago(day: date) -> int:
            return (today - day).days

        if night in (2, 8):
            self._edit("E0", lambda day: 3 <= days_ago(day) <= 20, correct, at_most=2)
        if night == 4:
            self._edit("E1", lambda day: 200 < days_ago(day) < 400, correct, at_most=1)
            self._edit("E0", lambda day: 3 <= days_ago(day) <= 20, other_closing_price, at_most=3)
        if night == 9:
            self._edit("E1", lambda day: 5 <= days_ago(day) <= 25, other_statistics, at_most=2)
        if night == 7:
            self._edit("E0", lambda day: -9 <= days_ago(day) <= -2, postpone, at_most=1)
        if night == 3:
            self._withhold("E1", lambda day: -3 <= days_ago(day) <= 1)
        if night == 8:
            self._give_back()

    def _edit(
        self,
        competition: str,
        chosen: Callable[[date], bool],
        change: Callable[[Row], None],
        at_most: int,
    ) -> None:
        n = 0
        for path in sorted(self.folder.rglob(f"{competition}.csv")):
            found = read(path)
            for row in found:
                if n < at_most and chosen(day_of(row)):
                    change(row)
                    n += 1
            path.write_bytes(season_csv(found))
        assert n, "nothing was changed"

    def _withhold(self, competition: str, chosen: Callable[[date], bool]) -> None:
        for path in sorted(self.folder.rglob(f"{competition}.csv")):
            found = read(path)
            gone = [(path, place, row) for place, row in enumerate(found) if chosen(day_of(row))]
            self.withheld += gone
            path.write_bytes(season_csv([row for row in found if not chosen(day_of(row))]))
        assert self.withheld

    def _give_back(self) -> None:
        for path, place, row in self.withheld:
            found = read(path)
            found.insert(place, row)
            path.write_bytes(season_csv(found))


def read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="latin-1") as file:
        return [row for row in csv.DictReader(file) if row.get("Date")]


def day_of(row: Row) -> date:
    text = row["Date"]
    return datetime.strptime(text, "%d/%m/%Y" if len(text) == 10 else "%d/%m/%y").replace(tzinfo=UTC).date()


def correct(row: Row) -> None:
    row["FTHG"] = str(int(row["FTHG"]) + 1)
    home, away = int(row["FTHG"]), int(row["FTAG"])
    row["FTR"] = "H" if home > away else "A" if home < away else "D"


def other_statistics(row: Row) -> None:
    row["HST"] = row["HS"] = str(int(row["HS"]) + 2)
    row["AC"] = str(int(row["AC"]) + 1)
    row["HY"] = str(int(row["HY"]) + 1)


def other_closing_price(row: Row) -> None:
    """Prices that come after the result: it was rated without them, and stays so."""
    row["AvgCH"] = f"{float(row['AvgCH']) + 0.11:.2f}"
    row["PSCH"] = f"{float(row['PSCH']) + 0.13:.2f}"


def postpone(row: Row) -> None:
    row["Date"] = (day_of(row) + timedelta(days=12)).strftime("%d/%m/%Y")


def test_the_nights_were_increments(month: Month):
    assert month.reports[0].is_full
    assert not any(report.is_full for report in month.reports[2:])
    assert sum(report.n_changed for report in month.reports) > 0


def test_every_feature_told_matches_apart(month: Month):
    """Columns without values would be the same tables, however they were built."""
    final = features(month.settings)
    same = [name for name in FEATURES if final[name].nunique() < 2]
    assert [name for name in same if not name.startswith(NOT_SIMULATED)] == []


def test_a_month_of_increments_and_a_full_build_are_the_same_tables(month: Month):
    increments = table_digests(month.settings, ["core", "features"])
    with copy_of(month.settings) as copy:
        build(copy, month.last, is_full=True)
        assert table_digests(copy, ["core", "features"]) == increments


def test_features_are_those_of_a_warehouse_that_held_only_what_was_observed_by_then(month: Month):
    with copy_of(month.settings) as copy:
        n_pairs = 0
        for night in KEPT_NIGHTS:
            instant = month.first + timedelta(days=night)
            build(copy, instant, is_full=True)
            now, then = features(copy), month.kept[instant]
            pd.testing.assert_frame_equal(now, then)
            n_pairs += len(then)
    assert n_pairs >= N_PAIRS


def test_features_of_played_matches_are_those_made_a_minute_before_kickoff(month: Month):
    final = features(month.settings)
    n_pairs = n_unseen = 0
    for instant, then in month.kept.items():
        due = then.index[then["kickoff_at"] == instant + timedelta(minutes=1)].intersection(final.index)
        # One that was moved in the meantime has another kick-off now.
        due = due[final.loc[due, "kickoff_at"] == then.loc[due, "kickoff_at"]]
        now, was = final.loc[due].copy(), then.loc[due]
        # Prices that were collected after the night's look, or in the outage, count by the publisher's timetable.
        unseen = was["market_price_home"].isna() & now["market_price_home"].notna()
        assert (now.loc[unseen, "market_price_hours"] >= 1).all()
        now.loc[unseen, MARKET] = was.loc[unseen, MARKET]
        pd.testing.assert_frame_equal(now, was)
        n_pairs += len(due)
        n_unseen += unseen.sum()
    assert n_pairs >= 20
    assert 0 < n_unseen < n_pairs


def test_no_feature_goes_with_the_result_of_its_match_more_than_chance_allows(month: Month):
    played = training_frame(month.settings, month.last)
    assert len(played) >= 200
    assert features_that_know_the_result(played, seed=1) == []
    blurred = played["outcome"] + np.random.default_rng(1).normal(0, 2, len(played))
    assert features_that_know_the_result(played.assign(away_elo=blurred), seed=1) == ["away_elo"]
