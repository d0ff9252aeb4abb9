"""What crosses between the HTTP server, the formats and the faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from touchline.sandbox.almanac import Match
from touchline.sandbox.chance import unit

JSON = "application/json; charset=utf-8"
CORRECTED_AFTER = timedelta(days=1)
WRONG_PRICE_FACTOR = 0.97
LOWEST_PRICE = 1.01


@dataclass(frozen=True)
class Asked:
    """One GET of a provider's: `path` below its base address, the query without its key."""

    source: str
    path: str
    query: Mapping[str, str]
    has_key: bool = False

    @property
    def label(self) -> str:
        """The request as logs and fault counters name it, without a key."""
        query = urlencode(sorted(self.query.items()), safe=",:")
        return f"{self.source}/{self.path}" + (f"?{query}" if query else "")

    def with_page(self, page: int) -> Asked:
        """The same for another page."""
        return replace(self, query={**self.query, "page": str(page)})


@dataclass(frozen=True)
class Answer:
    """A reply before faults; `cost` in the provider's credits."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cost: int = 0


@dataclass(frozen=True)
class Corrections:
    """Facts that are first told wrong: a share `rate` of all, each during the day after it appeared."""

    seed: int
    rate: float

    def is_wrong(self, fact: str, appeared_at: datetime, now: datetime) -> bool:
        """Whether `fact`, public since `appeared_at`, is still told wrong at `now`."""
        is_fresh = appeared_at <= now < appeared_at + CORRECTED_AFTER
        return is_fresh and unit(self.seed, "corrections", fact) < self.rate


@dataclass(frozen=True)
class Present:
    """The moment (UTC) that a format speaks at."""

    now: datetime
    corrections: Corrections | None = None

    def goals(self, source: str, match: Match, appeared_at: datetime) -> tuple[int, int]:
        """The full-time score as `source` tells it: one home goal too many while it is wrong."""
        wrong = self._is_wrong(f"{source} score {match.name}", appeared_at)
        return match.home_goals + wrong, match.away_goals

    def price(self, fact: str, price: float, appeared_at: datetime) -> float:
        """A decimal price as it is told: a little too low while it is wrong."""
        return wrong_price(price) if self._is_wrong(fact, appeared_at) else price

    def _is_wrong(self, fact: str, appeared_at: datetime) -> bool:
        return self.corrections is not None and self.corrections.is_wrong(fact, appeared_at, self.now)


def wrong_price(price: float) -> float:
    """What stands in place of `price` until it is corrected."""
    return max(LOWEST_PRICE, round(price * WRONG_PRICE_FACTOR, 2))


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None, cost: int = 0
) -> Answer:
    """A reply in JSON."""
    return Answer(status, encode(value), JSON, headers or {}, cost)


def encode(value: object) -> bytes:
    """Compact JSON, as APIs send it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
