"""A small clean world of many competitions, as bodies of the anchor source, for faults to be planted in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np

from season_folder import TEAMS
from touchline.database.engine import connect
from touchline.errors import PayloadRejected
from touchline.identity.teams import ANCHOR
from touchline.landing import observations, payloads
from touchline.landing.resolve import resolve
from touchline.landing.seen import note_seen
from touchline.quality.screening import screen
from touchline.settings import Settings
from touchline.sources.football_data_uk.parse import parse
from touchline.sources.source import Reply, Request

# Every competition is E0 under another name: a fault that is written for E0 is planted in any of them.
# Those come first in which a pairing may meet more than once at home: the first faults repeat one.
COMPETITIONS = (
    "SC0", "SC1", "SC2", "SC3", "G1", "E0", "E1", "E2", "E3", "EC", "D1", "D2", "I1", "I2", "SP1", "SP2", "F1", "F2",
    "N1", "B1", "P1", "T1",
)  # fmt: skip
BOOKMAKERS = ("B365", "BW", "IW", "PS", "WH", "VC")
FIRST_DAY = {2020: date(2020, 9, 12), 2021: date(2021, 8, 7), 2022: date(2022, 8, 6)}
LONG_AGO = datetime(2022, 7, 1, tzinfo=UTC)
# A Thursday after the thirteenth round, and the Tuesday after the fourteenth.
CLEAN = datetime(2022, 11, 3, 20, tzinfo=UTC)
FAULTY = datetime(2022, 11, 8, 20, tzinfo=UTC)
N_PLAYED = {CLEAN: 13, FAULTY: 14}
FIXTURES = "fixtures.csv"
TIMES = ("12:30", "15:00", "15:00", "15:00", "17:30")
IDENTITY = ("Div", "Date", "Time", "HomeTeam", "AwayTeam")
Row = dict[str, str]


E0_FILE = "mmz4281/2223/E0.csv"


@dataclass
class Bodies:
    """What the source says of E0: rows a fault may change, and bytes that stand in for them."""

    rows: dict[str, list[Row]]
    raw: dict[str, bytes] = field(default_factory=dict)

    @property
    def last_round(self) -> list[Row]:
        """The five rows of the newest round of the season file."""
        return self.rows[E0_FILE][-5:]

    @property
    def ahead(self) -> list[Row]:
        """The five fixtures of the next round."""
        return self.rows[FIXTURES][:5]


def answers(worlds: Mapping[str, Bodies]) -> dict[str, bytes]:
    """Endpoint -> bytes of the answers in which each competition is as its E0 says."""
    found: dict[str, bytes] = {}
    listed: list[Row] = []
    for competition, bodies in worlds.items():
        for endpoint, rows in bodies.rows.items():
            if endpoint != FIXTURES:
                body = bodies.raw.get(endpoint, as_csv(rows))
                found[renamed(endpoint, competition)] = renamed(body.decode(), competition).encode()
        for row in bodies.rows.get(FIXTURES, []):
            names = {name: f",{row[name]}" for name in ("HomeTeam", "AwayTeam")}
            listed.append(
                {**row, "Div": renamed(row["Div"], competition)}
                | {name: renamed(text, competition)[1:] for name, text in names.items()}
            )
    if listed:
        found[FIXTURES] = as_csv(listed)
    return found


def renamed(text: str, competition: str) -> str:
    """What is written for E0, for another competition; its teams bear the competition's code."""
    text = text.replace("E0", competition)
    for team in TEAMS["E0"]:
        for before in (",", "'"):
            text = text.replace(f"{before}{team}", f"{before}{competition} {team}")
    return text


def as_csv(rows: list[Row]) -> bytes:
    """Rows as a file of the source."""
    header = list(dict.fromkeys(name for row in rows for name in row)) or list(IDENTITY)
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def bodies_at(as_of: datetime) -> Bodies:
    """The season file with the rounds played by then, and the list of the next round."""
    n = N_PLAYED[as_of]
    played = [row for number in range(n) for row in matches(2022, number)]
    return Bodies({E0_FILE: played, FIXTURES: [announced(row) for row in matches(2022, n)]})


def last_season() -> Bodies:
    """The complete file of the season before."""
    return Bodies({"mmz4281/2122/E0.csv": [row for number in range(18) for row in matches(2021, number)]})


def announced(row: Row) -> Row:
    """A row of the list of fixtures: no result, no closing price."""
    results = {"FTHG", "FTAG", "FTR", "HTHG", "HTAG"}
    closing = {name for name in row if name.startswith(("PSC", "AvgC"))}
    statistics = {f"{side}{what}" for side in "HA" for what in ("S", "ST", "C", "F", "Y", "R")}
    return {name: value for name, value in row.items() if name not in results | closing | statistics}


def matches(year: int, number: int) -> list[Row]:
    """The five matches of a round, the same at every call."""
    teams = list(TEAMS["E0"])
    # The circle method: one team stays, the others turn; the second half of the season at the other's ground.
    turn = number % 9
    circle = [teams[0], *teams[1:][turn:], *teams[1:][:turn]]
    pairs = [(circle[place], circle[9 - place]) for place in range(5)]
    day = FIRST_DAY[year] + timedelta(days=7 * number)
    return [
        _match(day, TIMES[place], *(pair if (number < 9) == (place % 2 == 0) else pair[::-1]))
        for place, pair in enumerate(pairs)
    ]


def _match(day: date, time: str, home: str, away: str) -> Row:
    seed = [day.toordinal(), *home.encode(), *away.encode()]
    rng = np.random.default_rng(seed)
    gap = 0.25 + 0.12 * (TEAMS["E0"].index(away) - TEAMS["E0"].index(home))
    goals = [min(int(rng.poisson(rate)), 6) for rate in (np.exp(0.35 + gap / 3), np.exp(0.1 - gap / 3))]
    letter = "H" if goals[0] > goals[1] else "A" if goals[0] < goals[1] else "D"
    row = {
        "Div": "E0", "Date": day.strftime("%d/%m/%Y"), "Time": time, "HomeTeam": home, "AwayTeam": away,
        "FTHG": str(goals[0]), "FTAG": str(goals[1]), "FTR": letter,
        "HTHG": str(goals[0] // 2), "HTAG": str(goals[1] // 2),
    }  # fmt: skip
    for side, n in zip("HA", goals, strict=True):
        on_target = n + int(rng.integers(1, 5))
        row |= {f"{side}ST": str(on_target), f"{side}S": str(on_target + int(rng.integers(2, 9))),
                f"{side}C": str(int(rng.integers(2, 10))), f"{side}F": str(int(rng.integers(6, 18))),
                f"{side}Y": str(int(rng.integers(0, 4))), f"{side}R": "0"}  # fmt: skip
    return row | _prices(gap, rng)


def _prices(gap: float, rng: np.random.Generator) -> Row:
    row: Row = {}
    three: dict[str, np.ndarray] = {}
    for bookmaker in (*BOOKMAKERS, "PSC"):
        seen = gap + rng.normal(0, 0.03)
        weights = np.exp([0.3 + seen, 0.0, -0.1 - seen])
        three[bookmaker] = 1 / (weights / weights.sum() * 1.05)
    middle = np.mean([three[name] for name in BOOKMAKERS], axis=0)
    best = np.max([three[name] for name in BOOKMAKERS], axis=0)
    for name, prices in {**three, "Avg": middle, "Max": best, "AvgC": middle}.items():
        row |= {f"{name}{letter}": f"{price:.2f}" for letter, price in zip("HDA", prices, strict=True)}
    over = 0.5 + rng.normal(0, 0.04)
    for name, margin in {"B365": 1.06, "P": 1.03, "Avg": 1.05, "Max": 1.01}.items():
        row |= {
            f"{name}>2.5": f"{1 / (over * margin):.2f}",
            f"{name}<2.5": f"{1 / ((1 - over) * margin):.2f}",
        }
    row["AHh"] = f"{-round(2 * gap) / 4:.2f}"
    for name, margin in {"B365": 1.05, "P": 1.03, "Avg": 1.05, "Max": 1.01}.items():
        row |= {f"{name}AHH": f"{1 / (0.5 * margin):.2f}", f"{name}AHA": f"{1 / (0.5 * margin):.2f}"}
    return row


def land(settings: Settings, found: Mapping[str, bytes], as_of: datetime, run_id: str = "collect") -> None:
    """Store and parse answers of the anchor source as a collection does."""
    with connect(settings, "ingest") as connection:
        connection.execute("select landing.ensure_odds_partitions(%s)", (as_of,))
        for endpoint, body in found.items():
            payloads.store(connection, Request(ANCHOR, endpoint), Reply(body), as_of, run_id)
        connection.commit()
        for payload_id in payloads.unparsed(connection, ANCHOR):
            payload = payloads.read(connection, payload_id)
            assert payload is not None
            try:
                said = parse(payload.endpoint, payload.body)
            except PayloadRejected as error:
                observations.reject_payload(connection, payload, str(error), run_id)
                continue
            observations.write(
                connection, payload, resolve(connection, payload, said, {}, as_of, run_id), run_id
            )
        connection.commit()


def left_out(settings: Settings, as_of: datetime, run_id: str = "screen") -> int:
    """Apply the rules to what the landing gate has not looked at, and note it as the gate does, which checks more.

    Returns how many facts are left out.
    """
    found = screen(settings, as_of, run_id)
    with connect(settings, "transform") as connection:
        note_seen(connection, "check_landing", found.inputs, as_of)
    return found.n_left_out


def land_clean(settings: Settings) -> None:
    """The season before, then the current one as of CLEAN, of every competition."""
    for bodies, as_of in ((last_season(), LONG_AGO), (bodies_at(CLEAN), CLEAN)):
        land(settings, answers(dict.fromkeys(COMPETITIONS, bodies)), as_of)
