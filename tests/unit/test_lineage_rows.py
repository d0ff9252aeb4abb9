"""Single rows out of a payload's bytes, whatever its format."""

from __future__ import annotations

import json

import pytest

from touchline.lineage.payload_bytes import rows_of


def test_rows_of_a_csv_count_from_one_and_pass_over_blank_lines():
    body = b'Div,HomeTeam\r\nE0,Leeds\r\n,,\r\n\r\nE0,"Two\r\nlines"\r\nE0,Fulham\r\n'
    found = {row.row_number: row.text for row in rows_of(1, body, {1, 2, 3, 4})}
    assert found == {1: "E0,Leeds", 2: 'E0,"Two\r\nlines"', 3: "E0,Fulham"}


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"errors": [], "matches": items}])
def test_rows_of_a_json_body_are_the_items_of_its_list(wrap):
    body = json.dumps(wrap([{"id": 1}, {"id": 2, "home": "Alavés"}])).encode()
    (row,) = rows_of(7, body, {2})
    assert (row.payload_id, row.header, json.loads(row.text)) == (7, None, {"id": 2, "home": "Alavés"})


def test_a_body_in_an_old_encoding_is_read():
    (row,) = rows_of(1, "Div,HomeTeam\nSP1,Alavés\n".encode("cp1252"), {1})
    assert row.text == "SP1,Alavés"
