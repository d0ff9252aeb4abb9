"""The API's SQL. Parameters are bound; every query reads core, analytics, ledger or ops, and nothing else."""

from __future__ import annotations

from typing import Final

SUMMARY: Final = """
prediction.prediction_id, prediction.match_id, prediction.kickoff_at, prediction.competition, prediction.season,
prediction.home_team, prediction.away_team, prediction.p_home, prediction.p_draw, prediction.p_away,
prediction.expected_home_goals, prediction.expected_away_goals, prediction.model_name, prediction.model_version,
prediction.forecast, prediction.role, prediction.predicted_at, prediction.is_simulated
"""

# One row per fixture, or per fixture and forecast for the baselines, of which there are several.
# $1 role, $2 present, $3 from, $4 to, $5 competition
UPCOMING_FROM: Final = """
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
cross join lateral (
    select distinct on (case when role = 'baseline' then forecast end) *
    from ledger.prediction
    where match_id = match.match_id and role = $1 and predicted_at <= $2
    order by case when role = 'baseline' then forecast end, predicted_at desc, prediction_id desc
) as prediction
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $2
    and ($3::timestamptz is null or match.kickoff_at >= $3)
    and ($4::timestamptz is null or match.kickoff_at <= $4)
    and ($5::text is null or match.competition = $5)
"""

# The kick-off comes from the match, because it may have been moved since the prediction.
UPCOMING: Final = f"""
with page as materialized (
    select {SUMMARY.replace("prediction.kickoff_at", "match.kickoff_at")}, competition.name as competition_name
    {UPCOMING_FROM}
    order by match.kickoff_at, match.competition, match.home_team, prediction.forecast, prediction.prediction_id
    limit $6 offset $7
)
select page.*, odds.*
from page
left join lateral (
    select
        max(price_home) filter (where bookmaker <> 'consensus') as best_price_home,
        max(price_draw) filter (where bookmaker <> 'consensus') as best_price_draw,
        max(price_away) filter (where bookmaker <> 'consensus') as best_price_away,
        max(price_home) filter (where bookmaker = 'consensus') as market_price_home,
        max(price_draw) filter (where bookmaker = 'consensus') as market_price_draw,
        max(price_away) filter (where bookmaker = 'consensus') as market_price_away
    from core.match_odds
    where match_id = page.match_id and market = '1x2' and stage = 'prematch'
) as odds on true
order by page.kickoff_at, page.competition, page.home_team, page.forecast, page.prediction_id
"""  # noqa: S608 - put together from constants of this file

UPCOMING_COUNTS: Final = f"""
select match.competition, min(competition.name) as competition_name, count(*) as n
{UPCOMING_FROM}
group by match.competition order by match.competition
"""

COMPETITIONS: Final = "select competition from core.competition order by competition"

PREDICTION: Final = f"""
select {SUMMARY}, features_as_of, feature_store, feature_hash, features, scoreline_grid, clock, run_id
from ledger.prediction as prediction where prediction_id = $1
"""  # noqa: S608

# The champion's latest prediction of a match, as seen from the present. $1 match, $2 present
LAST_WORD: Final = f"""
select {SUMMARY}, scoreline_grid
from ledger.prediction as prediction where match_id = $1 and role = 'champion' and predicted_at <= $2
order by predicted_at desc, prediction_id desc limit 1
"""  # noqa: S608

OUTCOME: Final = """
select * from ledger.prediction_outcome where prediction_id = $1 order by revision desc limit 1
"""

MATCH: Final = """
select match.match_id, match.competition, competition.name as competition_name, match.season, match.home_team,
    match.away_team, match.kickoff_at, match.is_kickoff_time_known, match.status, match.is_simulated,
    result.home_goals, result.away_goals, result.outcome, result.known_at as result_known_at
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
left join core.match_result as result on result.match_id = match.match_id
where match.match_id = $1
"""

QUOTES: Final = """
select bookmaker, market, line, stage, price_home, price_draw, price_away, price_over, price_under, overround,
    quoted_at, known_at
from core.match_odds where match_id = $1 order by market, line, stage desc, bookmaker
"""

MATCH_PREDICTIONS: Final = f"""
select {SUMMARY}
from ledger.prediction as prediction where match_id = $1
order by predicted_at desc, role, forecast, prediction_id desc
"""  # noqa: S608

MODELS: Final = """
select made.*, coalesce(board.n, 0) as n_settled, board.rps, board.log_loss, board.brier, board.accuracy,
    board.log_loss_behind_closing
from (
    select model_name, model_version, forecast, role, is_simulated, count(*) as n_predictions,
        max(predicted_at) as last_predicted_at
    from ledger.prediction
    group by model_name, model_version, forecast, role, is_simulated
) as made
left join analytics.model_leaderboard as board using (model_name, model_version, forecast, role, is_simulated)
order by made.last_predicted_at desc, made.model_version desc, board.log_loss, made.role, made.forecast
"""

STATE: Final = """
select
    (select version_num from public.alembic_version) as revision,
    to_regclass('core.match') is not null and to_regclass('analytics.source_health') is not null as is_built,
    (select max(predicted_at) from ledger.prediction) as last_predicted_at,
    (select max(as_of) from ops.pipeline_run) as last_as_of
"""

LAST_STEPS: Final = """
select step, max(as_of) as as_of from ops.pipeline_run where status = 'success' group by step order by step
"""

SOURCE_STATES: Final = """
select state.source, state.circuit, state.n_failures, state.last_success_as_of as last_success_at,
    state.last_failure_as_of as last_failure_at, state.remaining_credits, state.quota_spent_until,
    coalesce(usage.n_calls, 0) as n_calls, coalesce(usage.n_credits, 0) as n_credits,
    coalesce(usage.n_failures, 0) as n_failed_calls
from ops.source_state as state
left join lateral (
    select sum(n_calls)::int as n_calls, sum(n_credits)::int as n_credits, sum(n_failures)::int as n_failures
    from ops.source_usage where source_usage.source = state.source
) as usage on true
order by state.source
"""

LAST_AS_OF: Final = "select max(as_of) as as_of from ops.pipeline_run"

# Fixtures of the next day without a prediction.
UNPREDICTED: Final = """
select count(*) as n from core.match as match
where match.status = 'scheduled' and not match.is_played
    and match.kickoff_at > $1 and match.kickoff_at <= $1 + interval '1 day'
    and not exists (
        select from ledger.prediction as prediction
        where prediction.match_id = match.match_id and prediction.role = 'champion' and prediction.predicted_at <= $1
    )
"""

# Why fixtures have no prediction, as of the last build, without those that began long ago or were predicted since.
# $1 present, $2 competition
REASONS: Final = """
select competition, kickoff_at, home_team, away_team, match_id, reason, detail, look_at, what_to_do
from analytics.unpredicted as unpredicted
where kickoff_at > $1::timestamptz - interval '1 day' and ($2::text is null or competition = $2)
    and not exists (
        select from ledger.prediction as prediction
        where prediction.match_id = unpredicted.match_id and prediction.role = 'champion'
            and prediction.predicted_at <= $1
    )
order by kickoff_at, competition, home_team, away_team
"""

TRACK_RECORD: Final = """
select forecast, role, sum(n)::int as n, sum(rps * n) / sum(n) as rps, sum(log_loss * n) / sum(n) as log_loss,
    sum(accuracy * n) / sum(n) as accuracy, sum(n_with_closing)::int as n_with_closing,
    sum(log_loss_behind_closing * n_with_closing) / nullif(sum(n_with_closing), 0) as log_loss_behind_closing
from analytics.track_record group by forecast, role order by role = 'champion' desc, log_loss
"""

LATELY_SETTLED: Final = """
select prediction_id, kickoff_at, competition, home_team, away_team, home_goals, away_goals, outcome,
    p_home, p_draw, p_away, log_loss, closing_log_loss
from analytics.settled_predictions where role = 'champion'
order by kickoff_at desc, competition, home_team limit 12
"""

SOURCES: Final = "select * from analytics.source_health order by source"

STRONGEST: Final = """
select name, country, elo, pi_home, pi_away from analytics.team_strength
where last_kickoff_at > $1::timestamptz - interval '120 days' order by elo desc, name limit 10
"""

# The last run of each gate: its failed expectations by severity.
QUALITY: Final = """
select result.gate, max(result.as_of) as as_of, count(*)::int as n_expectations,
    (count(*) filter (where not success and severity = 'block'))::int as n_block,
    (count(*) filter (where not success and severity = 'quarantine'))::int as n_quarantine,
    (count(*) filter (where not success and severity = 'warn'))::int as n_warn
from ops.quality_result as result
inner join (
    select distinct on (gate) gate, run_id from ops.quality_result where suite = 'gate'
    order by gate, checked_at desc
) as last on last.gate = result.gate and last.run_id = result.run_id
where result.suite <> 'gate'
group by result.gate order by result.gate
"""

# Competitions that a gate holds, and why. $1 present
HELD: Final = """
select hold.competition, min(hold.held_as_of) as held_as_of, string_agg(distinct hold.gate, ', ') as gates,
    min(hold.reason) as reason
from ops.competition_hold as hold
left join ops.competition_release as released using (competition_hold_id)
where held_as_of <= $1 and (released_as_of is null or released_as_of > $1)
group by hold.competition order by hold.competition
"""
