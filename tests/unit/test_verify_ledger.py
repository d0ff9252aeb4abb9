"""The verifier that goes with an export, on files alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from touchline.ledger.verify_ledger import verify

ROW = (
    '{"recorded_at":"2026-11-30T10:00:%02d+00:00","kind":"prediction","clock":"live",'
    '"kickoff_at":"2026-11-30T10:%02d:00+00:00","p_home":0.%d}'
)


def chained(rows: Sequence[str]) -> list[bytes]:
    """Lines whose hashes agree with each other, whatever the rows say."""
    lines, previous = [], b""
    for row in rows:
        previous = sha256(previous + row.encode()).digest()
        lines.append(b'{"hash":"%b","row":%b}\n' % (previous.hex().encode(), row.encode()))
    return lines


def digest(lines: Sequence[bytes], taken_at: str) -> str:
    """The digest of these lines."""
    return json.dumps({"position": len(lines), "hash": json.loads(lines[-1])["hash"], "taken_at": taken_at})


ROWS = [ROW % (number, number // 5, number) for number in range(20)]
LINES = chained(ROWS)
DIGESTS = [digest(LINES[:10], "2026-11-30T10:00:09.5+00:00"), digest(LINES, "2026-11-30T10:02:00+00:00")]


def test_what_was_written_is_as_it_was_and_counted():
    wrong, counts = verify(LINES, DIGESTS)
    assert wrong == []
    # The first digest was taken before minute 1, the second before minute 3.
    assert counts == {
        "rows": 20, "predictions": 20, "live": 20, "live_proven": 10, "not_yet_in_a_digest": 0,
    }  # fmt: skip


@given(st.integers(0, 19), st.sampled_from(["change", "remove", "insert", "swap"]), st.booleans())
def test_any_change_is_found_though_all_hashes_agree(place: int, how: str, is_chained_again: bool):
    rows = [*ROWS]
    if how == "change":
        rows[place] = rows[place].replace('"p_home":0.', '"p_home":1.')
    elif how == "remove":
        del rows[place]
    elif how == "insert":
        rows.insert(place, ROW % (place, 0, 77))
    else:
        rows[place], rows[place - 1] = rows[place - 1], rows[place]
    lines = chained(rows)
    if not is_chained_again:
        hashes = [line[:81] for line in LINES]
        lines = [(hashes[min(n, 19)] + line[81:]) for n, line in enumerate(lines)]
    assert verify(lines, DIGESTS)[0]


@given(st.integers(0, 19), st.data())
def test_no_byte_of_a_row_or_hash_can_be_another(place: int, data: st.DataObject):
    line = bytearray(LINES[place])
    at = data.draw(st.integers(0, len(line) - 3))
    line[at] ^= data.draw(st.integers(1, 255))
    assert verify([*LINES[:place], bytes(line), *LINES[place + 1 :]], DIGESTS)[0]


def test_one_change_is_one_finding_and_does_not_hide_the_rest():
    changed = [*LINES]
    for place in (3, 12):
        changed[place] = changed[place].replace(b'"p_home":0.', b'"p_home":1.')
    wrong, _ = verify(changed, DIGESTS)
    assert [each.split(" is not")[0] for each in wrong] == ["line 4", "line 13"]


def test_a_row_is_dated_back_when_a_digest_of_later_does_not_hold_it():
    late = ROW % (9, 59, 1)
    (found,) = verify(chained([*ROWS, late]), DIGESTS)[0]
    assert found.startswith("line 21 says that it was recorded at 2026-11-30T10:00:09+00:00")
    _, counts = verify(chained([*ROWS, late.replace("10:00:09", "10:03:00")]), DIGESTS)
    assert counts["not_yet_in_a_digest"] == 1


def test_without_a_digest_and_with_fewer_rows_than_one_tells_nothing_is_proven():
    assert verify(LINES, [])[0] == ["there is no digest to compare with"]
    assert verify(LINES[:15], DIGESTS)[0] == [
        "at 2026-11-30T10:02:00+00:00 there were 20 lines, now there are 15"
    ]
    assert verify([], DIGESTS)[0]
