"""Does an exported ledger hold what was written, all of it, in its order, and nothing dated back?

    python verify_ledger.py ledger.jsonl digests.jsonl

Needs Python 3.9 or newer and nothing else. A line of the ledger is {"hash":HASH,"row":ROW}: HASH is the SHA-256, in
hexadecimal, of the HASH before it (as 32 bytes, none before the first) and the bytes of ROW. A line of the digests is
{"position":P,"hash":HASH,"taken_at":T}: at T the ledger had P lines, the last with HASH. Whoever owns the database can
make all its hashes agree with a lie, but not with a digest that you were given before: take those.
"""

from __future__ import annotations

import json
import sys
from binascii import hexlify
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

PREDICTION = b'","kind":"prediction","clock":"'
LIVE = PREDICTION + b'live","kickoff_at":"'


def verify(ledger: Iterable[bytes], digests: Iterable[str]) -> tuple[list[str], dict[str, int]]:
    """What is wrong, a sentence for each line and digest (an empty list: nothing), and counts of rows."""
    # Times are UTC in ISO 8601 and in order as bytes: "+" comes before ".", and "." before digits.
    given = sorted(
        (each["position"], each["taken_at"].encode(), each["hash"]) for each in map(json.loads, digests)
    )
    wrong = [] if given else ["there is no digest to compare with"]
    number = n_predictions = n_live = n_proven = 0
    previous, since, ahead = b"", b"", iter([*given, (sys.maxsize, b"~", "")])
    position, until, expected = next(ahead)
    for number, line in enumerate(ledger, 1):
        previous = sha256(previous + line[81:-2]).digest()
        if line.startswith(b'{"hash":"%b","row":{"recorded_at":"' % hexlify(previous)):
            end = line.find(b'"', 97)
            recorded_at = line[97:end]
            if not since < recorded_at <= until:
                told = (
                    f"recorded at {recorded_at.decode()}, not after {since.decode()} until {until.decode()}"
                )
                wrong.append(f"line {number} says that it was {told}")
            if line.startswith(PREDICTION, end):
                n_predictions += 1
                if line.startswith(LIVE, end):
                    n_live += 1
                    start = end + len(LIVE)
                    n_proven += until < line[start : line.find(b'"', start)]
        else:
            wrong.append(
                f"line {number} is not what was written there: {line[:300].decode(errors='replace')}"
            )
            # From here on as the line says, so that one change is told once. The digests know whether it is true.
            said = line[9:73]
            is_hash = len(said) == 64 and set(said) <= set(b"0123456789abcdef")
            previous = bytes.fromhex(said.decode()) if is_hash else b""
        while number == position:
            if previous.hex() != expected:
                wrong.append(f"line {number} had another hash at {until.decode()}: {expected}")
            since = until
            position, until, expected = next(ahead)
    if position < sys.maxsize:
        wrong.append(f"at {until.decode()} there were {position} lines, now there are {number}")
    return wrong, {
        "rows": number,
        "predictions": n_predictions,
        "live": n_live,
        "live_proven": n_proven,
        "not_yet_in_a_digest": number - (given[-1][0] if given else 0),
    }


def verify_files(ledger: Path, digests: Path) -> tuple[list[str], dict[str, int]]:
    """`verify`, with what these files hold."""
    # A million lines are a gigabyte, which is read faster in large pieces.
    with ledger.open("rb", buffering=1 << 20) as lines, digests.open() as given:
        return verify(lines, given)


if __name__ == "__main__":
    wrong, n = verify_files(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(wrong or ["The ledger holds what was written, all of it and in its order."]))
    print(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in n.items()))
    sys.exit(1 if wrong else 0)
