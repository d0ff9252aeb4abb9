"""The files of football-data.co.uk: season files of what is played, and fixtures.csv of what is to come."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from touchline.sandbox.almanac import Almanac
from touchline.sandbox.answer import Answer, Asked, Present, wrong_price
from touchline.sources.football_data_uk.addresses import FIXTURES, read_endpoint, season_start_year, uk_day
from touchline.sources.simulated import UK_FILES

FIXTURE_DAYS = 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BOM_SINCE = 2024
TIMES = ("kickoff_at", "prices_collected_at", "result_published_at")
# What a correction of a price concerns.
FIRST_EARLY, FIRST_CLOSING = "B365H", "B365CH"
CSV: Final = "text/csv"


class FootballDataUkFiles:
    """Season files and fixtures.csv."""

    def __init__(self, almanac: Almanac) -> None:
        self._almanac = almanac

    def answer(self, asked: Asked, present: Present) -> Answer:
        """A file; status 404 for one that does not exist (yet)."""
        body = self._fixtures(present) if asked.path == FIXTURES else self._season(asked.path, present)
        return Answer(404, b"Not Found", "text/plain") if body is None else Answer(200, body, CSV)

    def _season(self, endpoint: str, present: Present) -> bytes | None:
        file, now = read_endpoint(endpoint), present.now
        if file is None or now.date() < date(file.start_year, 8, 1):
            return None
        season = self._almanac.frame(file.start_year)
        if season is None or file.competition not in season["Div"]:
            return None
        played = season.filter((pl.col("Div") == file.competition) & (pl.col("result_published_at") <= now))
        if played.is_empty():
            return None
        told = _told_wrong(played, "result_published_at", FIRST_CLOSING, present)
        body = _csv(_in_provider_order(told))
        return BYTE_ORDER_MARK + body if file.start_year >= BOM_SINCE else body

    def _fixtures(self, present: Present) -> bytes:
        now = present.now
        season = self._almanac.frame(season_start_year(uk_day(now)))
        assert season is not None, "the clock never stands before the first season"
        ahead = season.filter(
            (pl.col("result_published_at") > now)
            & (pl.col("kickoff_at") <= now + timedelta(days=FIXTURE_DAYS))
        )
        ahead = _told_wrong(ahead, "prices_collected_at", FIRST_EARLY, present)
        columns = _in_provider_order(ahead).columns
        after_the_match = columns[columns.index("FTHG") : columns.index("AR") + 1]
        prices = columns[columns.index("AR") + 1 :]
        is_collected = pl.col("prices_collected_at") <= now
        hidden = ahead.with_columns(
            *(
                pl.when(is_collected & ~pl.lit(value=_is_closing(name))).then(pl.col(name)).alias(name)
                for name in prices
            ),
            Referee=pl.lit(""),
        ).drop([name for name in after_the_match if name != "Referee"])
        return _csv(_in_provider_order(hidden))


def _told_wrong(frame: pl.DataFrame, appears: str, price: str, present: Present) -> pl.DataFrame:
    """The same rows, where fresh ones may have a home goal too many and a price that is too low."""
    corrections = present.corrections
    if corrections is None or frame.is_empty():
        return frame

    def wrong(fact: str) -> list[bool]:
        moments: list[datetime] = frame[appears].to_list()
        names = (frame["Div"] + frame["Date"] + frame["HomeTeam"]).to_list()
        return [
            corrections.is_wrong(f"{UK_FILES} {fact} {name}", moment, present.now)
            for name, moment in zip(names, moments, strict=True)
        ]

    prices = [
        wrong_price(value) if is_wrong else value
        for value, is_wrong in zip(frame[price].to_list(), wrong(price), strict=True)
    ]
    goals = frame["FTHG"] + pl.Series(wrong("score")).cast(frame.schema["FTHG"])
    sign = (goals - frame["FTAG"]).sign()
    outcome = sign.replace_strict({1: "H", 0: "D", -1: "A"}, return_dtype=pl.String)
    return frame.with_columns(
        pl.Series(price, prices), goals.alias("FTHG"), outcome.alias("FTR")
    )  # fmt: skip


def _in_provider_order(frame: pl.DataFrame) -> pl.DataFrame:
    first = ["Div", "Date", "Time", "HomeTeam", "AwayTeam"]
    return frame.select(*first, *(name for name in frame.columns if name not in (*first, *TIMES)))


def _is_closing(name: str) -> bool:
    code = name.rstrip("HDAh").removesuffix(">2.5").removesuffix("<2.5")
    return code.endswith("C") and name not in ("VCH", "VCD", "VCA")


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(line_terminator="\r\n").encode()
