"""Compare names of clubs, by rules instead of a list of clubs.

Sources shorten names in a handful of ways. They drop the legal form ("FC"), the second word ("Leeds"), the end of a
word ("Man", "Ath", "Peterboro"), its vowels ("Utd") or its middle ("Nott'm"); they write initials ("QPR"), or spell
foreign names in their own way ("Olympiakos"). Words are compared one by one, so a word left over on both sides
("Sheffield United", "Sheffield Weds") counts against the pair, however many letters the rest has in common.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rapidfuzz.distance import Indel

# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "ı": "i", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ß": "ss"}
)
_APOSTROPHES: Final = re.compile(r"['’‘`´ʼ]")
_DOTTED_INITIALS: Final = re.compile(r"\b(?:[^\W\d_]\.){1,}[^\W\d_]\b\.?")
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_ABBREVIATIONS: Final = {"saint": "st", "sankt": "st", "sint": "st", "sainte": "ste", "utd": "united"}

# Legal forms and words for "football club" in the languages of the competitions; they do not distinguish clubs.
_LEGAL_FORMS: Final = frozenset({
    "fc", "afc", "cfc", "cf", "sc", "ac", "acf", "as", "us", "ss", "ssc", "ud", "ad", "cd", "sd", "rcd", "rc",
    "ca", "cp", "sk", "fk", "nk", "sv", "tsv", "tsg", "vfb", "vfl", "fsv", "bsc", "msv", "spvgg", "kv", "kvc",
    "kvk", "ksc", "kaa", "krc", "rsc", "rfc", "kfco", "bv", "bvo", "sbv", "svv", "sad", "spa", "bk", "if", "ik",
    "ff", "jk", "fbc", "fco", "aj", "aac", "gd", "sl", "ogc", "sco", "bb", "club", "calcio", "football",
    "futbol", "fussball", "futebol", "clube", "voetbal", "spor", "kulubu", "soccer",
})  # fmt: skip
_SMALL_WORDS: Final = frozenset({
    "and", "the", "of", "de", "do", "da", "dos", "das", "di", "del", "della", "der", "den", "des", "du", "la",
    "le", "les", "el", "et", "y", "e", "i",
})  # fmt: skip
_RESERVES: Final = frozenset({
    "ii", "b", "u18", "u19", "u20", "u21", "u23", "reserve", "reserves", "youth", "women", "ladies", "w",
})  # fmt: skip

# How much a word left over on one side takes from the score of an otherwise equal pair.
_LEFT_OVER_COSTS: Final = 12.0
# If both sides have words left over, the names are probably those of two clubs.
_CONFLICT: Final = 0.7
_CONFLICT_CEILING: Final = 70.0
_RESERVE_CEILING: Final = 40.0
# Below this likeness two words are different words. Above it they may still be (Reggina and Reggiana), so similar
# letters support a match of other words, but are never enough alone.
_SAME_WORD: Final = 0.85
# Different spellings of one sound; words are compared after these replacements.
_SOUNDS: Final = (("ph", "f"), ("ny", "n"), ("ou", "u"), ("ei", "i"), ("ae", "a"), ("oe", "o"), ("ue", "u"), ("c", "k"),
                  ("y", "i"), ("w", "v"))  # fmt: skip
_REPEATED: Final = re.compile(r"(.)\1+")
_VOWELS: Final = frozenset("aeiouy")


@dataclass(frozen=True)
class Name:
    """A name as it is compared: its distinguishing words in order, and whether it is a second team ("II", "B")."""

    words: tuple[str, ...]
    is_reserve: bool

    @property
    def key(self) -> tuple[tuple[str, ...], bool]:
        """Equal for names that differ only in case, accents, punctuation, legal form, numbers and word order."""
        return tuple(sorted(word.replace("'", "") for word in self.words)), self.is_reserve


@lru_cache(maxsize=16384)
def normalise(name: str) -> Name:
    """The distinguishing words of a name; a name made only of legal forms keeps them all."""
    words = _words(name)
    is_reserve = len(words) > 1 and any(word in _RESERVES for word in words[1:])
    plain = [word for word in words if not (is_reserve and word in _RESERVES)]
    telling = [word for word in plain if word not in _LEGAL_FORMS | _SMALL_WORDS and not word.isdigit()]
    kept = telling or [word for word in plain if word not in _SMALL_WORDS] or plain
    return Name(tuple(kept), is_reserve)


def similarity(one: str, other: str) -> float:
    """How alike two names are, 0 to 100, the same in both directions; 100 only when every word is the same.

    At most 70 when both hold a word that the other lacks, at most 40 between a first and a second team.
    """
    return _similarity(*sorted((one, other)))


@lru_cache(maxsize=262144)
def _similarity(one: str, other: str) -> float:
    left, right = normalise(one), normalise(other)
    if not left.words or not right.words:
        return 0.0
    score = 100.0 if left.key == right.key else _compare(left.words, right.words)
    return min(score, _RESERVE_CEILING) if left.is_reserve != right.is_reserve else score


@dataclass(frozen=True)
class _Pair:
    likeness: float
    left: frozenset[int]
    right: frozenset[int]
    is_firm: bool


def _compare(left: tuple[str, ...], right: tuple[str, ...]) -> float:
    chosen = _pair_up(left, right)
    if not chosen:
        # No word in common: the letters only rank the candidates for review.
        return _CONFLICT_CEILING / 2 * Indel.normalized_similarity(" ".join(left), " ".join(right))
    matched_left = {index for pair in chosen for index in pair.left}
    matched_right = {index for pair in chosen for index in pair.right}
    weights = [_weight(left, pair.left) + _weight(right, pair.right) for pair in chosen]
    likeness = sum(pair.likeness * weight for pair, weight in zip(chosen, weights, strict=True)) / sum(
        weights
    )
    covered = (
        _weight(left, matched_left) / _weight(left, range(len(left))),
        _weight(right, matched_right) / _weight(right, range(len(right))),
    )
    if max(covered) < 1:
        return min(100 * likeness * _CONFLICT * (covered[0] + covered[1]) / 2, _CONFLICT_CEILING)
    # Likenesses that are not firm (short initials, short beginnings of words) are never enough alone.
    if not any(pair.is_firm for pair in chosen):
        return min(100 * likeness, _CONFLICT_CEILING)
    return likeness * (100 - _LEFT_OVER_COSTS * (1 - min(covered)))


def _pair_up(left: tuple[str, ...], right: tuple[str, ...]) -> list[_Pair]:
    pairs = [
        pair
        for i, one in enumerate(left)
        for j, other in enumerate(right)
        if (pair := _pair(i, one, j, other)) is not None
    ]
    pairs += _initials(left, right)
    pairs += [_Pair(pair.likeness, pair.right, pair.left, pair.is_firm) for pair in _initials(right, left)]
    pairs.sort(
        key=lambda pair: (-pair.likeness, -len(pair.left | pair.right), sorted(pair.left), sorted(pair.right))
    )
    chosen: list[_Pair] = []
    used_left: set[int] = set()
    used_right: set[int] = set()
    for pair in pairs:
        if not pair.left & used_left and not pair.right & used_right:
            chosen.append(pair)
            used_left |= pair.left
            used_right |= pair.right
    return chosen


def _pair(i: int, one: str, j: int, other: str) -> _Pair | None:
    likeness, is_firm = _word_likeness(one, other)
    return _Pair(likeness, frozenset({i}), frozenset({j}), is_firm) if likeness else None


def _initials(short: tuple[str, ...], long: tuple[str, ...]) -> list[_Pair]:
    """Words of `short` that are the initials of consecutive words of `long`: QPR, Paris SG."""
    found = []
    for i, word in enumerate(short):
        size = len(word)
        for start in range(len(long) - size + 1 if 2 <= size <= 4 else 0):
            if word == "".join(part[0] for part in long[start : start + size]):
                found.append(_Pair(0.97, frozenset({i}), frozenset(range(start, start + size)), size >= 3))
    return found


def _word_likeness(one: str, other: str) -> tuple[float, bool]:
    """How alike two words are (0 when they are different words), and whether that is enough on its own."""
    if one.replace("'", "") == other.replace("'", ""):
        return 1.0, True
    short, long = sorted((one, other), key=lambda word: (len(word), word))
    if short[0] != long[0] or short.isdigit() or long.isdigit():
        return 0.0, False
    if "'" in short or "'" in long:
        return _contraction(short, long)
    if len(short) >= 2 and long.startswith(short):
        return 0.85 + 0.1 * len(short) / len(long), len(short) >= 6
    # A plural nickname: Wolves, Weds.
    if len(short) >= 4 and short.endswith("s") and long.startswith(short[:-1]):
        return 0.94, len(short) >= 6
    # Vowels left out: Rvs. Allowing a vowel after the first letter would match Bury with Burnley.
    if len(short) >= 3 and not _VOWELS & set(short[1:]) and short[-1] == long[-1] and _is_within(short, long):
        return 0.93, False
    if len(short) >= 5 and _sound(short) == _sound(long):
        return 0.96, True
    likeness = Indel.normalized_similarity(short, long)
    return (likeness, False) if likeness >= _SAME_WORD else (0.0, False)


def _contraction(short: str, long: str) -> tuple[float, bool]:
    """Nott'm is Nottingham, M'gladbach Monchengladbach: the apostrophe stands for the middle."""
    marked, full = (short, long) if "'" in short else (long, short)
    start, _, end = marked.partition("'")
    fits = (
        "'" not in full
        and len(full) > len(start) + len(end)
        and full.startswith(start)
        and full.endswith(end)
    )
    return (0.95, True) if fits else (0.0, False)


def _is_within(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)


@lru_cache(maxsize=16384)
def _sound(word: str) -> str:
    for spelling, sound in _SOUNDS:
        word = word.replace(spelling, sound)
    return _REPEATED.sub(r"\1", word)


def _weight(words: tuple[str, ...], indices: frozenset[int] | set[int] | range) -> int:
    return sum(len(words[index]) for index in indices)


def _words(name: str) -> list[str]:
    text = unicodedata.normalize("NFKD", _APOSTROPHES.sub("'", name).casefold().translate(_LETTERS))
    text = "".join(letter for letter in text if not unicodedata.combining(letter)).translate(_LETTERS)
    text = _DOTTED_INITIALS.sub(lambda match: match[0].replace(".", ""), text.replace("&", " and "))
    return [_ABBREVIATIONS.get(word, word) for word in _WORD.findall(text)]
