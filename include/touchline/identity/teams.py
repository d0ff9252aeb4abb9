"""Links from a source's names to the warehouse's teams, and the names that wait for a person.

Teams bear the names that the anchor source, football_data_uk, gives them. A link belongs to a source and a country,
not to a competition, because a club keeps its name when it is promoted or relegated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from touchline.database.engine import Connection, rows
from touchline.database.queries import query
from touchline.errors import TeamUnknown
from touchline.identity.competitions import competitions
from touchline.identity.matching import Decision, Method, Names, match
from touchline.identity.names import similarity
from touchline.identity.schedule import ScheduledMatch

ANCHOR: Final = "football_data_uk"
# Competitions change size by a few teams. A list shorter than this share of last season's is still growing.
NEARLY_ALL: Final = 0.85
N_CLOSE_NAMES = 3

LAST_LINKS = """
select distinct on (source, country, alias) source, country, alias, team, method, score, runner_up, runner_up_score,
    observed_at, run_id
from landing.team_link
where (%(source)s::text is null or source = %(source)s) and (%(country)s::text is null or country = %(country)s)
order by source, country, alias, team_link_id desc
"""


@dataclass(frozen=True)
class Link:
    """What a source means by a name; `team` is None where a link was undone."""

    source: str
    country: str
    alias: str
    team: str | None
    method: Method
    score: float | None
    runner_up: str | None
    runner_up_score: float | None
    observed_at: datetime
    run_id: str


@dataclass(frozen=True)
class Review:
    """A name that no rule could settle, as last seen, with the two best guesses."""

    source: str
    country: str
    competition: str
    season: str
    alias: str
    candidate: str | None
    score: float | None
    runner_up: str | None
    runner_up_score: float | None
    observed_at: datetime


def settled_links(connection: Connection, source: str, country: str) -> dict[str, str]:
    """The team that each settled name of a source means. The anchor source needs no links and has none."""
    return {link.alias: link.team for link in links(connection, source, country) if link.team is not None}


def links(connection: Connection, source: str | None = None, country: str | None = None) -> list[Link]:
    """The latest link of every name, undone links included, ordered by source, country and name."""
    return [Link(**row) for row in rows(connection, LAST_LINKS, {"source": source, "country": country})]


def open_reviews(connection: Connection) -> list[Review]:
    """The names that wait for a person, one row per source, country and name."""
    return [Review(**row) for row in rows(connection, query("identity/sql/open_reviews"))]


def country_of(competition: str) -> str:
    """The country whose clubs play in a competition. An unknown competition counts as a country of its own."""
    known = competitions().get(competition)
    return competition if known is None else known.country


def settle(
    connection: Connection, source: str, competition: str, season: str, aliases: Collection[str], as_of: datetime,
    run_id: str, schedule: Collection[ScheduledMatch] = (),
) -> dict[str, Decision]:  # fmt: skip
    """Decide which teams a source means by `aliases`, the names it uses in one competition and season.

    New links and new doubtful names are written in the caller's transaction; names settled before are not written
    again. Pass all the names that a payload has in this competition, and its fixture list as `schedule`: both make
    the decisions safer. Only data that the anchor source had published by `as_of` is used. A link undone by hand is
    not made again. While the anchor source has no data on the country, names stay open without a review, because
    nobody could answer it.
    """
    if source == ANCHOR:
        return {
            alias: Decision(alias, alias, "exact", 100.0, candidate=alias) for alias in sorted(set(aliases))
        }
    country = country_of(competition)
    settled = settled_links(connection, source, country)
    if all(alias in settled for alias in aliases):
        return match(aliases, Names(frozenset()), settled)
    # Two collectors that meet the same new name must not link it twice.
    connection.execute(
        "select pg_advisory_xact_lock(hashtext('teams ' || %s || ' ' || %s))", (source, country)
    )
    stored = links(connection, source, country)
    settled = {link.alias: link.team for link in stored if link.team is not None}
    undone = {link.alias for link in stored if link.team is None}
    names = canonical_names(connection, competition, season, as_of)
    decisions = match(aliases, names, settled, schedule, withheld=undone)
    for alias, made in decisions.items():
        guess = (made.score, made.runner_up, made.runner_up_score, as_of)
        if made.team is None or made.method is None:
            if not names.teams | names.elsewhere:
                continue
            item = Review(source, country, competition, season, alias, made.candidate, *guess)
            _write_review(connection, item, run_id)
        elif alias not in settled:
            _write(connection, Link(source, country, alias, made.team, made.method, *guess, run_id))
    return decisions


def canonical_names(connection: Connection, competition: str, season: str, as_of: datetime) -> Names:
    """The teams of a competition and season, as the anchor source had them by `as_of`, and the country's others.

    The others are those of this and the last season. Until the season has begun, there are only others.
    """
    country = country_of(competition)
    codes = sorted(
        {competition, *(code for code, known in competitions().items() if known.country == country)}
    )
    found = rows(
        connection, query("identity/sql/anchor_matches"),
        {"anchor": ANCHOR, "competitions": codes, "season": season, "as_of": as_of},
    )  # fmt: skip
    own = [row for row in found if row["competition"] == competition]
    now = [row for row in own if row["season"] == season]
    teams, before = _teams(now), _teams(row for row in own if row["season"] != season)
    schedule = frozenset(
        ScheduledMatch(row["kickoff_on"], row["home_team"], row["away_team"])
        for row in now
        if row["status"] not in ("postponed", "cancelled")
    )
    is_complete = bool(teams) and len(teams) >= NEARLY_ALL * len(before) and _have_all_played(now)
    return Names(teams, _teams(found) - teams, is_complete, schedule)


def link(
    connection: Connection, source: str, country: str, alias: str, team: str, as_of: datetime, run_id: str
) -> Link:
    """Link a name of a source to a team by hand; this overrides every rule.

    Raises TeamUnknown, with the closest names, when the anchor source has no such team in this country.
    """
    known = _known_teams(connection, country)
    if team not in known:
        close = sorted(known, key=lambda name: (-max(similarity(team, name), similarity(alias, name)), name))
        hint = f"; close names: {', '.join(close[:N_CLOSE_NAMES])}" if close else ""
        raise TeamUnknown(
            f"{ANCHOR} knows no team {team!r} in {country!r}{hint}. Give the name as it stands in the season files"
        )
    made = Link(source, country, alias, team, "manual", None, None, None, as_of, run_id)
    _write(connection, made)
    return made


def unlink(
    connection: Connection, source: str, country: str, alias: str, as_of: datetime, run_id: str
) -> Link:
    """Undo the link of a name; after that, only `link` can settle it. Raises TeamUnknown when it has no link."""
    if alias not in settled_links(connection, source, country):
        raise TeamUnknown(
            f"{source} has no linked team {alias!r} in {country!r}; `touchline teams list` shows those it has"
        )
    made = Link(source, country, alias, None, "manual", None, None, None, as_of, run_id)
    _write(connection, made)
    return made


def _known_teams(connection: Connection, country: str) -> frozenset[str]:
    codes = [code for code, known in competitions().items() if known.country == country] or [country]
    query = (
        "select distinct home_team, away_team from landing.fixture_observation "
        "where source = %s and competition = any(%s)"
    )
    return _teams(rows(connection, query, (ANCHOR, codes)))


def _teams(found: Iterable[Mapping[str, str]]) -> frozenset[str]:
    return frozenset(row[side] for row in found for side in ("home_team", "away_team"))


def _have_all_played(matches: Collection[Mapping[str, str]]) -> bool:
    """Whether every team has two matches; in the first round the list of teams still grows by the day.

    One team with a single match is tolerated, because it is usually a misspelled name.
    """
    n_matches = Counter(row[side] for row in matches for side in ("home_team", "away_team"))
    return sum(number < 2 for number in n_matches.values()) <= 1


def _write(connection: Connection, made: Link) -> None:
    connection.execute(
        "insert into landing.team_link (source, country, alias, team, method, score, runner_up, runner_up_score, "
        "observed_at, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            made.source, made.country, made.alias, made.team, made.method, made.score, made.runner_up,
            made.runner_up_score, made.observed_at, made.run_id,
        ),
    )  # fmt: skip


def _write_review(connection: Connection, item: Review, run_id: str) -> None:
    connection.execute(
        "insert into landing.team_review (source, country, competition, season, alias, candidate, score, runner_up, "
        "runner_up_score, observed_at, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "on conflict (source, competition, season, alias) do nothing",
        (
            item.source, item.country, item.competition, item.season, item.alias, item.candidate, item.score,
            item.runner_up, item.runner_up_score, item.observed_at, run_id,
        ),
    )  # fmt: skip
