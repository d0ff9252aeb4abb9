"""What is played: the files of a season and of those before it, the days, and where all of it is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from psycopg import sql

from touchline.database.engine import open_url, rows
from touchline.errors import ReplayImpossible
from touchline.identity.competitions import competitions as known_competitions
from touchline.ledger.digests import digests_file
from touchline.operations.code import code_digest
from touchline.registry.tracking import open_registry
from touchline.replay.faults import Injection
from touchline.settings import Settings
from touchline.sources.football_data_uk.addresses import SeasonFile, read_endpoint, season_code, season_label
from touchline.sources.football_data_uk.parse import parse

DATABASE_PREFIX = "touchline_replay_"
# The first collection of a day sees the results of the day before, which are published at this time.
DAY_BEGINS = time(6, tzinfo=UTC)


@dataclass(frozen=True)
class ReplayRequest:
    """Which season is played, and how; `season` 2022 is 2022/23.

    No `competitions` means all that the folder has of that season. `from_on` and `to_on` (UTC days, both included)
    play a part of it. Models are trained every `train_every` days, on the season and `history_seasons` before it.
    """

    folder: Path
    season: int
    competitions: tuple[str, ...] = ()
    from_on: date | None = None
    to_on: date | None = None
    train_every: int = 7
    history_seasons: int = 5
    injections: tuple[Injection, ...] = ()


@dataclass(frozen=True)
class Season:
    """The files of a request by place in a folder, and the first and the last day (UTC) to be played."""

    request: ReplayRequest
    competitions: tuple[str, ...]
    files: Mapping[str, Path]
    first_on: date
    last_on: date

    @property
    def n_days(self) -> int:
        """Days to be played."""
        return (self.last_on - self.first_on).days + 1

    @property
    def begins_at(self) -> datetime:
        """The first moment (UTC)."""
        return datetime.combine(self.first_on, DAY_BEGINS)

    @property
    def ends_at(self) -> datetime:
        """The midnight (UTC) after the last day."""
        return datetime.combine(self.last_on + timedelta(days=1), time(), UTC)

    @property
    def label(self) -> str:
        """Such as 2022/23."""
        return season_label(self.request.season)


def find_season(request: ReplayRequest, horizon_days: int) -> Season:
    """Look up what a request asks for. The season begins as many days before its first match as are predicted ahead,
    and ends on the day after its last.

    Raises ReplayImpossible when the folder, the season or a competition is not there, or no day is left to play.
    """
    known = _files(request.folder)
    played = known.get(request.season, {})
    if not played:
        there = ", ".join(str(year) for year in sorted(known)) or "none"
        raise ReplayImpossible(
            f"{request.folder} holds no files of season {season_label(request.season)} "
            f"({season_code(request.season)}/DIV.csv); it has the seasons beginning in: {there}"
        )
    missing = [code for code in request.competitions if code not in played]
    if missing:
        raise ReplayImpossible(
            f"{request.folder} has no {', '.join(missing)} in season {season_label(request.season)}; it has "
            f"{', '.join(sorted(played))}"
        )
    codes = tuple(sorted(request.competitions or played))
    days = [day for code in codes for day in _days(played[code], SeasonFile(code, request.season))]
    if not days:
        raise ReplayImpossible(
            f"the files of season {season_label(request.season)} hold no match that can be read"
        )
    first_on = max(min(days) - timedelta(days=horizon_days), request.from_on or date.min)
    last_on = min(max(days) + timedelta(days=1), request.to_on or date.max)
    if first_on > last_on:
        raise ReplayImpossible(
            f"no day of season {season_label(request.season)} is left to play: its matches are from {min(days)} to "
            f"{max(days)}; change --from or --to"
        )
    years = range(request.season - request.history_seasons, request.season + 1)
    files = {
        f"{season_code(year)}/{code}.csv": known[year][code]
        for year in years if year in known for code in codes if code in known[year]
    }  # fmt: skip
    return Season(request, codes, files, first_on, last_on)


def replay_settings(settings: Settings, season: Season) -> Settings:
    """The same settings with a database, a registered model and a folder of files that are this replay's own.

    Another season, another content of its files, another way to play it or other code is another replay. Its folder
    links to the files, and holds no others: so nothing but what was asked for can be collected.
    """
    request = season.request
    asked = [
        season.label, season.competitions, season.first_on, request.train_every, request.history_seasons,
        [each.text for each in request.injections], settings.horizon_days, settings.evaluation_seasons,
        settings.random_seed,
        [(place, path.stat().st_size, path.stat().st_mtime_ns) for place, path in sorted(season.files.items())],
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:8]
    name = f"{DATABASE_PREFIX}{request.season}_{digest}_{code_digest()[:6]}"
    # Nobody is there to approve, to look at pages of gates, or to wait for a search that ends by the wall clock.
    promotion = settings.promotion.model_copy(update={"needs_approval": False})
    return settings.model_copy(
        update={
            "source": str(folder_of(settings, name) / "source"), "database_name": name, "as_of": season.begins_at,
            "data_docs": False, "tuning_budget_seconds": 0.0, "promotion": promotion,
        }
    )  # fmt: skip


def folder_of(settings: Settings, database: str) -> Path:
    """Where a replay keeps what is no table."""
    return settings.home / "replays" / database


def link_files(settings: Settings, season: Season) -> None:
    """Make the folder of a replay's files; links that are there already stay."""
    for place, path in season.files.items():
        link = Path(settings.source) / place
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path.absolute())


def forget_replays(settings: Settings, *, this_too: bool) -> None:
    """Drop what replays of the same request kept under other code, and with `this_too` this one's as well.

    A database that is in use stays; raises ReplayImpossible when it is this one. Raises ServiceFailed when MLflow does
    not answer.
    """
    request = settings.warehouse_database.rpartition("_")[0]
    with open_url(settings.admin_url, autocommit=True) as admin:
        found = rows(
            admin,
            "select datname from pg_database where starts_with(datname, %s) and (%s or datname <> %s) and not exists "
            "(select from pg_stat_activity as session where session.datname = pg_database.datname)",
            (f"{request}_", this_too, settings.warehouse_database),
        )
        for row in found:
            # The database last: while it is there, what a kill left of the others is found again.
            _forget_files(settings.model_copy(update={"database_name": row["datname"]}))
            admin.execute(sql.SQL("drop database {}").format(sql.Identifier(row["datname"])))
        if this_too and rows(
            admin, "select from pg_database where datname = %s", (settings.warehouse_database,)
        ):
            raise ReplayImpossible(
                f"somebody is connected to {settings.warehouse_database}, which is to begin anew: close what reads it, "
                "or stop the replay that plays it"
            )


def _forget_files(settings: Settings) -> None:
    """Everything beside the database."""
    registry = open_registry(settings)
    if registry.client.search_registered_models(f"name = '{registry.model_name}'"):
        registry.client.delete_registered_model(registry.model_name)
    name = settings.warehouse_database
    kept = (folder_of(settings, name), *(settings.home / each / name for each in ("feast", "dbt")))
    for folder in (*kept, registry.folder):
        shutil.rmtree(folder, ignore_errors=True)
    digests_file(settings).unlink(missing_ok=True)


def _files(folder: Path) -> Mapping[int, Mapping[str, Path]]:
    """The season files of a folder by the year in which the season began, and competition."""
    if not folder.is_dir():
        raise ReplayImpossible(
            f"there is no folder {folder}; name one that holds season files, such as 2223/E0.csv"
        )
    found: dict[int, dict[str, Path]] = defaultdict(dict)
    for path in folder.glob("*/*.csv"):
        file = read_endpoint(f"mmz4281/{path.parent.name}/{path.name}")
        if file is not None and file.competition in known_competitions():
            found[file.start_year][file.competition] = path
    return found


def _days(path: Path, file: SeasonFile) -> list[date]:
    return list(parse(file.endpoint, path.read_bytes()).fixtures["kickoff_on"].drop_nulls())
