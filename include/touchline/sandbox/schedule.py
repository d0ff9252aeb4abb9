"""Who plays whom, when: a double round robin over a season of weekends and some midweeks."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

# Days after Saturday and UK time of the matches of a weekend round; the rest kicks off on Saturday at 15:00.
WEEKEND_SLOTS = ((-1, "19:45"), (0, "12:30"), (0, "17:30"), (1, "14:00"), (1, "16:30"), (2, "20:00"))
MIDWEEK_SLOTS = ((0, "19:45"), (1, "19:45"))
MIDWEEK_AFTER_WEEKS = (6, 13, 20, 27, 33)


def double_round_robin(n_teams: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Pairs (home, away) by round, shape (2 (n - 1), n / 2, 2), by the circle method; `n_teams` is even."""
    order = random.permutation(n_teams)
    circle = list(range(n_teams))
    rounds = []
    for number in range(n_teams - 1):
        half = [(circle[index], circle[-1 - index]) for index in range(n_teams // 2)]
        # Alternate venues from round to round; the fixed team of the circle alternates by itself.
        rounds.append([pair if (number + index) % 2 == 0 else pair[::-1] for index, pair in enumerate(half)])
        circle = [circle[0], circle[-1], *circle[1:-1]]
    first = np.array(rounds)
    pairs: npt.NDArray[np.int64] = order[np.concatenate([first, first[:, :, ::-1]])]
    return pairs


def match_days(
    start_year: int, n_rounds: int, n_matches: int, random: np.random.Generator
) -> tuple[list[date], list[str]]:
    """UK date and kick-off time of every match, round by round."""
    saturday = date(start_year, 8, 8)
    saturday += timedelta(days=(5 - saturday.weekday()) % 7)
    rounds: list[tuple[date, bool]] = []
    week = 0
    while len(rounds) < n_rounds:
        day = saturday + timedelta(weeks=week)
        # No round between Christmas and New Year's first weekend.
        if not (day.month == 12 and day.day >= 24):
            rounds.append((day, False))
        week += 1
        if week in MIDWEEK_AFTER_WEEKS:
            rounds.append((day + timedelta(days=3), True))
    days, times = [], []
    for day, is_midweek in rounds[:n_rounds]:
        slots = MIDWEEK_SLOTS if is_midweek else WEEKEND_SLOTS
        for match in random.permutation(n_matches):
            offset, time = slots[match] if match < len(slots) else (0, "19:45" if is_midweek else "15:00")
            days.append(day + timedelta(days=offset))
            times.append(time)
    return days, times
