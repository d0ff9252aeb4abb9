"""Prices, numbers and times as users read them."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.accounts.formats import LANGUAGES, ODDS_FORMATS, Formats, american, fractional
from touchline.serving.reading import at, number, percent, price, read_by

KICKOFF = datetime(2023, 3, 26, 15, 30, tzinfo=UTC)
PRICES = st.floats(1.001, 1001)


@pytest.mark.parametrize(
    ("price", "as_fraction", "as_american"),
    [
        (2.0, "1/1", "+100"),
        (2.5, "3/2", "+150"),
        (1.5, "1/2", "-200"),
        (1.91, "10/11", "-110"),
        (2.63, "13/8", "+163"),
        (1.01, "1/100", "-10000"),
        (101.0, "100/1", "+10000"),
        (1.8, "4/5", "-125"),
    ],
)
def test_a_price_in_each_format(price: float, as_fraction: str, as_american: str):
    assert (fractional(price), american(price)) == (as_fraction, as_american)


@given(PRICES)
def test_a_price_written_as_a_fraction_is_near_and_short(price: float):
    profit, stake = map(int, fractional(price).split("/"))
    assert min(profit, stake) <= 10
    assert abs(Fraction(profit, stake) / (Fraction(price) - 1) - 1) <= Fraction(1, 20)


@given(PRICES)
def test_an_american_price_gives_the_decimal_one_back_to_the_cent_of_a_stake_of_100(price: float):
    line = int(american(price))
    back = 1 + (line / 100 if line > 0 else -100 / line)
    assert back == pytest.approx(price, abs=0.0051 * max(1, (price - 1) ** 2 if price < 2 else 1))
    assert abs(line) >= 100


def test_a_price_at_which_nothing_is_won_is_not_written():
    for odds_format in ODDS_FORMATS:
        formats = Formats("UTC", odds_format, "en_GB")
        assert [formats.price(price) for price in (None, 1.0, 0.0)] == [None, None, None]


def test_a_kick_off_is_told_in_the_zone_of_the_user_on_both_sides_of_its_summer_time():
    london = Formats("Europe/London", "decimal", "en_GB")
    assert london.local(KICKOFF).isoformat() == "2023-03-26T16:30:00+01:00"
    assert london.local(KICKOFF.replace(day=25)).isoformat() == "2023-03-25T15:30:00+00:00"
    assert london.time(KICKOFF) == "Sun 26 Mar 2023, 16:30 BST"
    assert Formats("Europe/Berlin", "decimal", "de").time(KICKOFF) == "So. 26 März 2023, 17:30 MESZ"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_writes_numbers_times_and_prices(language: str):
    formats = Formats("Asia/Tokyo", "decimal", language)
    digits = str.maketrans("٠١٢٣٤٥٦٧٨٩٫", "0123456789.")
    written = [formats.percent(0.123), formats.price(1234.5), formats.time(KICKOFF)]
    plain = [str(text).translate(digits) for text in written]
    assert "12" in plain[0]
    assert "234" in plain[1]
    assert "2023" in plain[2]
    assert "00:30" in plain[2]
    assert len({*written}) == 3


@pytest.mark.parametrize(
    ("language", "value", "places", "sign", "written"),
    [
        ("en_GB", 1234.5, 1, False, "1,234.5"),
        ("de", 1234.5, 1, False, "1.234,5"),
        ("en_GB", 0.04, 2, True, "+0.04"),
        ("de", -3.2, 0, True, "-3"),
        ("en_GB", 12, 0, False, "12"),
    ],
)
def test_a_number_has_its_places_and_its_sign(
    language: str, value: float, places: int, sign: bool, written: str
):
    assert Formats("UTC", "decimal", language).number(value, places, sign=sign) == written


def test_a_change_that_rounds_to_none_has_no_sign():
    changes = (0.041, -0.041, 0.004, -0.004, 0.0)
    assert [percent(change, sign=True) for change in changes] == ["+4", "-4", "0", "0", "0"]


def test_pages_are_written_for_their_reader_and_for_nobody_after():
    with read_by(Formats("Asia/Tokyo", "american", "de")):
        assert (at(KICKOFF, "HH:mm"), number(0.5, 1), price(2.5)) == ("00:30", "0,5", "+150")
    assert (at(KICKOFF, "HH:mm"), number(0.5, 1), price(2.5), price(None)) == ("15:30", "0.5", "2.50", "–")
