"""From a question to a reply: the provider's format, its limits, and what faults make of both."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime

from touchline.sandbox.almanac import Almanac
from touchline.sandbox.answer import Answer, Asked, Corrections, Present, encode
from touchline.sandbox.chance import identifier
from touchline.sandbox.damage_csv import cut_point, damage_csv
from touchline.sandbox.damage_json import damage_json, skew
from touchline.sandbox.faults import Draw, Fault, FaultBoard
from touchline.sandbox.formats import Format
from touchline.sandbox.formats.api_football import ApiFootball
from touchline.sandbox.formats.football_data_org import FootballDataOrg
from touchline.sandbox.formats.football_data_uk import FootballDataUkFiles
from touchline.sandbox.formats.the_odds_api import TheOddsApi
from touchline.sandbox.market import MARGINS
from touchline.sandbox.meters import Meters
from touchline.sandbox.refusals import refusal
from touchline.sandbox.world import SandboxWorld
from touchline.sources.configuration import SourcesConfiguration
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API, UK_FILES

MOST_KEPT = 128
NOT_MODIFIED = 304


@dataclass(frozen=True)
class Reply:
    """What goes over the wire at `told_at`: `sent` bytes of the body after a pause, under the provider's own date."""

    answer: Answer
    told_at: datetime
    dated_at: datetime
    sent: int
    pause_seconds: float = 0.0
    faults: frozenset[Fault] = frozenset()


class Answers:
    """Speaks for all providers of one world. Safe for threads."""

    def __init__(self, world: SandboxWorld, configuration: SourcesConfiguration, board: FaultBoard) -> None:
        almanac = Almanac(world)
        codes = configuration.sandbox.competitions
        self._formats: dict[str, Format] = {
            UK_FILES: FootballDataUkFiles(almanac),
            FOOTBALL_DATA_ORG: FootballDataOrg(almanac, codes[FOOTBALL_DATA_ORG]),
            THE_ODDS_API: TheOddsApi(almanac, codes[THE_ODDS_API], _keys(configuration, THE_ODDS_API)),
            API_FOOTBALL: ApiFootball(almanac, codes[API_FOOTBALL], _keys(configuration, API_FOOTBALL)),
        }
        self._seed = world.seed
        self._board = board
        self._meters = Meters(configuration.sandbox.calls_per_minute)
        self._kept: OrderedDict[tuple[str, bool, Present], Answer] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, asked: Asked, present: Present) -> Answer:
        """The provider's own answer, without faults."""
        # Replies follow from question and moment, and the world's moment seldom changes.
        key = (asked.label, asked.has_key, present)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        answer = self._formats[asked.source].answer(asked, present)
        with self._lock:
            self._kept[key] = answer
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return answer

    def reply(self, asked: Asked, now: datetime, if_none_match: str | None) -> Reply:
        """What is sent at `now`, with the faults that hit this request."""
        now = now.astimezone(UTC)
        draw = self._board.draw(asked.label)
        refused = refusal(asked, draw, now)
        if refused is not None:
            answer, hit = refused[1], frozenset({refused[0]})
        else:
            answer, hit = self._told(asked, draw, now, if_none_match)
        answer = replace(
            answer, headers={**self._meters.headers(asked.source, answer.cost, now), **answer.headers}
        )
        pause, sent, dated_at = 0.0, len(answer.body), now
        if Fault.SLOW in draw.faults:
            hit, pause = hit | {Fault.SLOW}, self._board.slow_seconds
        if Fault.CUT in draw.faults and len(answer.body) > 1:
            is_csv = asked.source == UK_FILES and answer.status == 200
            hit, sent = hit | {Fault.CUT}, cut_point(answer.body) if is_csv else len(answer.body) // 2
        if Fault.CLOCK_SKEW in draw.faults:
            hit, dated_at = hit | {Fault.CLOCK_SKEW}, now + skew(draw)
        self._board.record(hit)
        return Reply(answer, now, dated_at, sent, pause, hit)

    def _told(
        self, asked: Asked, draw: Draw, now: datetime, if_none_match: str | None
    ) -> tuple[Answer, frozenset[Fault]]:
        """The provider's answer with the faults in it that leave it an answer."""
        answer, hit = self._corrected_later(asked, now)
        if answer.status != 200:
            return answer, hit
        if asked.source == UK_FILES:
            body, damaged = damage_csv(answer.body, draw)
            answer = _validated(replace(answer, body=body), draw, now, if_none_match)
            return answer, hit | damaged
        if asked.source == API_FOOTBALL and asked.path == "odds":
            answer, moved = self._other_page(asked, draw, answer, now)
            hit |= moved
        body, damaged = damage_json(asked.source, answer.body, draw)
        return replace(answer, body=body), hit | damaged

    def _corrected_later(self, asked: Asked, now: datetime) -> tuple[Answer, frozenset[Fault]]:
        present = self._present(now)
        right = self.answer(asked, Present(now))
        if present.corrections is None:
            return right, frozenset()
        told = self.answer(asked, present)
        return told, frozenset() if told.body == right.body else frozenset({Fault.CORRECTIONS})

    def _other_page(
        self, asked: Asked, draw: Draw, answer: Answer, now: datetime
    ) -> tuple[Answer, frozenset[Fault]]:
        """Another page in place of the one asked for, which it claims to be."""
        asked_page = int(asked.query.get("page", "1"))
        envelope = json.loads(answer.body)
        page, hit = asked_page, set()
        total = envelope["paging"]["total"]
        if Fault.REORDERED in draw.faults and asked_page <= total and total > 1:
            page, hit = total + 1 - asked_page, {Fault.REORDERED}
        if Fault.DUPLICATE_PAGES in draw.faults and 1 < page <= total:
            page, hit = page - 1, {*hit, Fault.DUPLICATE_PAGES}
        if page == asked_page:
            return answer, frozenset()
        other = json.loads(self.answer(asked.with_page(page), self._present(now)).body)
        told = {**other, "parameters": envelope["parameters"], "paging": envelope["paging"]}
        return replace(answer, body=encode(told)), frozenset(hit)

    def _present(self, now: datetime) -> Present:
        rate = self._board.rate(Fault.CORRECTIONS)
        return Present(now, Corrections(self._seed, rate) if rate > 0 else None)


def _validated(answer: Answer, draw: Draw, now: datetime, if_none_match: str | None) -> Answer:
    """With the validators of a file; status 304 when the reader has it already.

    A server whose validators are stale takes any reader for up to date, and dates what it sends by another body.
    """
    is_stale = Fault.CLOCK_SKEW in draw.faults
    tag = identifier("stale", *draw.dice) if is_stale else hashlib.sha256(answer.body).hexdigest()[:32]
    modified_at = now + skew(draw) if is_stale else now
    headers: Mapping[str, str] = {
        "ETag": f'"{tag}"',
        "Last-Modified": format_datetime(modified_at, usegmt=True),
    }
    is_known = if_none_match is not None and (is_stale or if_none_match == headers["ETag"])
    if is_known:
        return replace(answer, status=NOT_MODIFIED, body=b"", headers=headers)
    return replace(answer, headers=headers)


def _keys(configuration: SourcesConfiguration, source: str) -> dict[str, str]:
    """The world's bookmakers by code and the source's name for them; a code that has none is its own name."""
    named = {code: name for name, code in reversed(configuration.bookmakers.get(source, {}).items())}
    return {code: named.get(code, code) for code in MARGINS}
