"""Expectations on core and features: what changed since the last pass, and each competition against its own history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import great_expectations.expectations as gxe

from touchline.quality.suite import Suite, block, warn

# No bookmaker offers an overround below 1; the consensus does not include the market's best prices.
OVERROUND_BOUNDS = (0.97, 1.35)
ELO_BOUNDS = (400.0, 2800.0)
# The goals by which a team beats an average team.
PI_BOUNDS = (-10.0, 10.0)
REBUILD = (
    "find the facts of these matches in landing, correct their source or quarantine, then `touchline build`"
)
COMPARE = (
    "compare with the competition's own pages; a change of the source shows in `touchline rejects count`"
)


@dataclass(frozen=True)
class Window:
    """The matches that a gate on the warehouse checks, as of an instant (UTC).

    Everything if `since` is None; otherwise matches that kick off after `since`, and those with a fact from a payload
    that the gate has not checked, or that was replayed since.
    """

    gate: str
    as_of: datetime
    since: datetime | None

    @property
    def now(self) -> str:
        """The instant as SQL."""
        return f"'{self.as_of.isoformat()}'::timestamptz"

    def matches(self, kickoff_at: str, *payload_ids: str) -> str:
        """A condition on the match's kick-off and the payloads of its facts."""
        if self.since is None:
            return "true"
        seen = (
            f"select from ops.seen_input as seen where seen.consumer = 'check_{self.gate}' "
            f"and seen.as_of <= {self.now} and seen.kind"
        )
        parts = [f"{kickoff_at} > '{self.since.isoformat()}'"]
        for name in payload_ids:
            parts += [
                f"not exists ({seen} = 'payload' and seen.input_id = {name})",
                f"{name} in (select replayed.payload_id from landing.payload_replayed as replayed "  # noqa: S608
                f"where not exists ({seen} = 'replay' and seen.input_id = replayed.payload_replayed_id))",
            ]
        return "(" + " or ".join(parts) + ")"


def core_suites(window: Window) -> list[Suite]:
    """Expectations on the core layer before ratings and features are built on it."""
    return [
        Suite(
            "core_total",
            "select 'core.match' as row_key, null as competition, "
            "(select count(*) from (select from core.match limit 1) as one) as n_matches",
            lambda: [
                block(
                    gxe.ExpectColumnMaxToBeBetween, "collect first: there is no match",
                    column="n_matches", min_value=1,
                ),
            ],
        ),
        Suite(
            "core_match",
            "select concat_ws(' ', match.competition, season, home_team, away_team, match_id) as row_key, "  # noqa: S608
            "match.competition, match_id::text as match_id, kickoff_at, "
            "(home.team_id is null)::int + (away.team_id is null)::int as n_unknown_teams, "
            "(is_played and result.match_id is null)::int as n_results_missing "
            "from core.match left join core.team as home on home.team_id = home_team_id "
            "left join core.team as away on away.team_id = away_team_id "
            "left join core.match_result as result using (match_id) "
            f"where {window.matches('match.kickoff_at', 'match.payload_id')} or kickoff_at is null",
            lambda: [
                block(gxe.ExpectColumnValuesToBeUnique, REBUILD, column="match_id"),
                block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column="kickoff_at"),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_unknown_teams", max_value=0),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_results_missing", max_value=0),
            ],
        ),
        Suite(
            "core_match_result",
            "select concat_ws(' ', match.competition, home_team, away_team, match_result.match_id) as row_key, "  # noqa: S608
            "coalesce(match.competition, '') as competition, (home_goals + away_goals)::float8 as goals, "
            "(match.match_id is null)::int as n_without_match, "
            "extract(epoch from match_result.known_at - match.kickoff_at)::float8 as seconds_after_kickoff "
            "from core.match_result left join core.match using (match_id) "
            f"where {window.matches('match.kickoff_at', 'match_result.payload_id', 'match.payload_id')} "
            "or match.match_id is null",
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween, REBUILD,
                    column="seconds_after_kickoff", min_value=0, strict_min=True,
                ),
                block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column="goals"),
                block(gxe.ExpectColumnValuesToBeBetween, REBUILD, column="n_without_match", max_value=0),
            ],
        ),
        Suite(
            "core_consensus",
            _consensus(window),
            lambda: [
                block(gxe.ExpectColumnValuesToBeBetween, COMPARE, column="share_impossible", max_value=0.02),
                warn(
                    gxe.ExpectColumnValuesToBeBetween, COMPARE,
                    column="mean_overround", min_value=1.0, max_value=1.2,
                ),
            ],
        ),
        Suite(
            "core_competition",
            _competitions(window),
            lambda: [
                warn(gxe.ExpectColumnValuesToBeBetween, COMPARE, column=column, min_value=-4.5, max_value=4.5)
                for column in ("goals_z", "home_win_z")
            ],
        ),
        Suite(
            "core_volume",
            _volume(window),
            lambda: [warn(gxe.ExpectColumnValuesToBeBetween, COMPARE, column="excess", max_value=4)],
        ),
    ]  # fmt: skip


def feature_suites(window: Window) -> list[Suite]:
    """Expectations on the features before a model learns from them or predicts with them."""
    ranges: dict[str, tuple[float | None, float | None]] = {
        "seconds_to_kickoff": (1e-6, None),
        "seconds_before_as_of": (0, None),
        "home_elo": ELO_BOUNDS,
        "away_elo": ELO_BOUNDS,
        "home_pi": PI_BOUNDS,
        "away_pi": PI_BOUNDS,
        "home_points_5": (0, 3),
        "away_points_5": (0, 3),
        "season_progress": (0, 1),
        "lowest_price": (1, None),
    }
    return [
        Suite(
            "match_features",
            "select concat_ws(' ', features.competition, match_id) as row_key, features.competition, "  # noqa: S608
            "match_id::text as match_id, home_elo, away_elo, "
            "home_pi, away_pi, home_points_5, away_points_5, season_progress, "
            "least(market_price_home, market_price_draw, market_price_away) as lowest_price, "
            "extract(epoch from features.kickoff_at - features_as_of)::float8 as seconds_to_kickoff, "
            f"extract(epoch from {window.now} - features_as_of)::float8 as seconds_before_as_of "
            "from features.match_features as features inner join core.match using (match_id) "
            f"where {window.matches('features.kickoff_at', 'match.payload_id')}",
            lambda: [
                block(gxe.ExpectColumnValuesToBeUnique, REBUILD, column="match_id"),
                *(
                    block(gxe.ExpectColumnValuesToNotBeNull, REBUILD, column=column)
                    for column in ("seconds_to_kickoff", "season_progress")
                ),
                *(
                    block(
                        gxe.ExpectColumnValuesToBeBetween, REBUILD, column=column, min_value=low, max_value=high
                    )
                    for column, (low, high) in ranges.items()
                ),
                *(
                    warn(gxe.ExpectColumnValuesToNotBeNull, COMPARE, column=column, mostly=0.9)
                    for column in ("home_elo", "away_elo", "home_pi", "away_pi")
                ),
            ],
        ),
        Suite(
            "feature_coverage",
            "select concat_ws(' ', match.competition, home_team, away_team, match.match_id) as row_key, "  # noqa: S608
            "match.competition, (features.match_id is null)::int as n_missing "
            "from core.match left join features.match_features as features using (match_id) "
            "where status = 'scheduled' and not match.is_played "
            f"and match.kickoff_at between {window.now} and {window.now} + interval '7 days'",
            lambda: [
                block(
                    gxe.ExpectColumnValuesToBeBetween, "run `touchline build`: fixtures ahead have no features",
                    column="n_missing", max_value=0,
                )
            ],
        ),
    ]  # fmt: skip


def _consensus(window: Window) -> str:
    """One row per match with an impossible overround, so that it can be accepted by key, and one per competition."""
    low, high = OVERROUND_BOUNDS
    return (
        "select case when is_impossible then match_key else competition end as row_key, competition, "  # noqa: S608
        "share_impossible, case when place = 1 then mean_overround end as mean_overround from ("
        "select match.competition, is_impossible, "
        "concat_ws(' ', match.competition, season, home_team, away_team, match.match_id) as match_key, "
        "avg(is_impossible::int) over competition_::float8 as share_impossible, "
        "avg(odds.overround) over competition_::float8 as mean_overround, "
        "row_number() over (partition by match.competition order by is_impossible, match.match_id) as place "
        "from core.match inner join core.match_odds as odds using (match_id) "
        f"cross join lateral (select odds.overround not between {low} and {high} as is_impossible) as judged "
        "where odds.bookmaker = 'consensus' and odds.market = '1x2' "
        f"and {window.matches('match.kickoff_at', 'match.payload_id')} "
        "window competition_ as (partition by match.competition)) as priced where is_impossible or place = 1"
    )


def _competitions(window: Window) -> str:
    """One row per competition: its last eight weeks against the three years before them, in standard errors."""
    recent = f"match.kickoff_at > {window.now} - interval '56 days'"
    goals = "(home_goals + away_goals)"
    return (
        "select competition as row_key, competition, "  # noqa: S608
        "(goals_recent - goals_before) / nullif(deviation / sqrt(n_recent), 0) as goals_z, "
        "(home_recent - home_before) / nullif(sqrt(home_before * (1 - home_before) / n_recent), 0) as home_win_z "
        f"from (select competition, count(*) filter (where {recent}) as n_recent, "
        f"count(*) filter (where not {recent}) as n_before, "
        f"avg({goals}) filter (where {recent})::float8 as goals_recent, "
        f"avg({goals}) filter (where not {recent})::float8 as goals_before, "
        f"stddev_samp({goals}) filter (where not {recent})::float8 as deviation, "
        f"avg((outcome = 'home')::int) filter (where {recent})::float8 as home_recent, "
        f"avg((outcome = 'home')::int) filter (where not {recent})::float8 as home_before "
        "from core.match_result inner join core.match using (match_id) "
        f"where match.kickoff_at > {window.now} - interval '3 years' group by competition) as compared "
        "where n_recent >= 10 and n_before >= 50"
    )


def _volume(window: Window) -> str:
    """One row per competition and day of the last two weeks: the number of matches against earlier days of the same
    weekday and stage (hundred days of the season), in robust deviations (median, MAD)."""
    return (
        "select * from (with days as (select competition, season, kickoff_on, extract(dow from kickoff_on) as weekday, "  # noqa: S608
        "(kickoff_on - min(kickoff_on) over (partition by competition, season)) / 100 as stage, count(*) as n "
        "from core.match where status not in ('superseded', 'postponed', 'cancelled') "
        f"and kickoff_on between {window.now}::date - 1500 and {window.now}::date + 7 "
        "group by competition, season, kickoff_on), "
        f"recent as (select * from days where kickoff_on > {window.now}::date - 14), "
        "usual as (select competition, weekday, stage, percentile_cont(0.5) within group (order by n) as median "
        f"from days where kickoff_on <= {window.now}::date - 14 group by competition, weekday, stage "
        "having count(*) >= 5), "
        "spread as (select competition, weekday, stage, median, percentile_cont(0.5) within group "
        "(order by abs(n - median)) as deviation from usual inner join days using (competition, weekday, stage) "
        f"where kickoff_on <= {window.now}::date - 14 group by competition, weekday, stage, median) "
        "select concat_ws(' ', competition, kickoff_on, n, 'matches, usually', median) as row_key, competition, "
        "(n - median) / greatest(1.4826 * deviation, 1) as excess "
        "from recent inner join spread using (competition, weekday, stage)) as compared"
    )
