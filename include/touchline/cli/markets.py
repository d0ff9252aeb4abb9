"""`touchline markets`: every market of a prediction, with fair prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from rich.table import Table

from touchline.cli.output import emit, ready, state
from touchline.errors import PredictionUnknown

if TYPE_CHECKING:
    from touchline.serving.market_schemas import Bet, Chance, PredictionMarkets
    from touchline.settings import Settings

# Lines that bookmakers show first; `--json` has all.
TOTALS_SHOWN = (0.5, 1.5, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.5)
HANDICAPS_SHOWN = (-1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)

LAST_WORD = """
select * from ledger.prediction
where (prediction_id = %(id)s or match_id = %(id)s and role = 'champion')
    and (%(as_of)s::timestamptz is null or predicted_at <= %(as_of)s)
order by predicted_at desc, prediction_id desc limit 1
"""


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="markets")
    def markets_command(
        ctx: typer.Context,
        subject: Annotated[
            UUID, typer.Argument(metavar="MATCH_ID", help="id of a match, or of a prediction")
        ],
    ) -> None:
        """Show every market of the champion's latest prediction of a match: probabilities and fair prices."""
        found = read_markets(ready(ctx), subject)
        if state(ctx).as_json:
            emit(ctx, found.model_dump(mode="json"))
        else:
            emit(ctx, None, *market_tables(found))


def read_markets(settings: Settings, subject: UUID) -> PredictionMarkets:
    """Markets of a prediction, or of the champion's last prediction of a match, made by `settings.as_of` if given.

    Raises PredictionUnknown when the ledger has none.
    """
    from touchline.database.engine import connect, rows
    from touchline.serving.market_replies import markets

    with connect(settings, "api") as connection:
        found = rows(connection, LAST_WORD, {"id": subject, "as_of": settings.as_of})
    if not found:
        raise PredictionUnknown(
            f"the ledger holds no prediction {subject}, and no champion's prediction of a match {subject}: "
            "ids of both are in analytics.upcoming_predictions and on the board"
        )
    return markets(found[0])


def market_tables(found: PredictionMarkets) -> tuple[Table, ...]:
    """Results and scorelines, goals, and handicaps."""
    world = " (SIMULATED football)" if found.is_simulated else ""
    title = f"{found.home_team} v {found.away_team}, {found.kickoff_at:%a %d %b %Y %H:%M} UTC, {found.forecast}{world}"
    return _chances(found, title), _goals(found), _handicaps(found)


def _chances(found: PredictionMarkets, title: str) -> Table:
    table = Table(title=title)
    table.add_column("market")
    for name in ("probability", "fair price"):
        table.add_column(name, justify="right")
    result, double, no_draw = found.match_result, found.double_chance, found.draw_no_bet
    both = found.both_to_score
    groups: tuple[tuple[tuple[str, Chance], ...], ...] = (
        (("home win", result.home), ("draw", result.draw), ("away win", result.away)),
        (
            ("home or draw", double.home_or_draw),
            ("home or away", double.home_or_away),
            ("draw or away", double.draw_or_away),
        ),
        (("home, draw no bet", no_draw.home), ("away, draw no bet", no_draw.away)),
        (("both score", both.yes), ("not both score", both.no)),
        tuple((f"{each.home_goals}-{each.away_goals}", each) for each in found.scorelines[:5]),
    )
    for group in groups:
        for name, chance in group:
            table.add_row(
                name, f"{chance.probability:.3f}", _price(chance.fair_price), end_section=name == group[-1][0]
            )
    return table


def _goals(found: PredictionMarkets) -> Table:
    table = _bets("Goals", "goals", ("over", "under"))
    for line in found.total_goals:
        if line.line in TOTALS_SHOWN:
            table.add_row(f"{line.line:g}", *_cells(line.over), _price(line.under.fair_price))
    return table


def _handicaps(found: PredictionMarkets) -> Table:
    table = _bets("Asian handicap", "home side's", ("home", "away"))
    for line in found.handicap:
        if line.line in HANDICAPS_SHOWN:
            table.add_row(f"{line.line:+g}", *_cells(line.home), _price(line.away.fair_price))
    return table


def _bets(title: str, line: str, sides: tuple[str, str]) -> Table:
    table = Table(title=title)
    names = (f"{sides[0]} won", "half won", "stake back", "half lost", "lost")
    for name in (line, *names, *(f"fair price {side}" for side in sides)):
        table.add_column(name, justify="right")
    return table


def _cells(bet: Bet) -> list[str]:
    ways = (bet.won, bet.half_won, bet.stake_back, bet.half_lost, bet.lost)
    return [*(f"{p:.3f}" if p else "" for p in ways), _price(bet.fair_price)]


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:.2f}"
