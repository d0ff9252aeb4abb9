"""`touchline teams`: which team a source means by a name, and the names that wait to be linked by hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from touchline.cli.output import console, emit, ready, state

if TYPE_CHECKING:
    from touchline.identity.teams import Link, Review
    from touchline.landing.replay import ReplayReport

Source = Annotated[str, typer.Option(help="the source that uses the name, for example the_odds_api")]
Country = Annotated[str, typer.Option(help="the country of its competition, for example England")]


@dataclass(frozen=True)
class LinkReport:
    """A link made by hand, and what the replay of quarantined rows did."""

    link: Link
    replayed: ReplayReport

    @property
    def summary(self) -> str:
        """What happened, in one or two sentences."""
        done = f"{self.link.source} means {self.link.team} by {self.link.alias!r} ({self.link.country})."
        return f"{done} {self.replayed.summary}"


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(
        help="List and link the team names of the sources, and review those in doubt.", no_args_is_help=True
    )
    app.add_typer(group, name="teams")

    @group.command(name="review")
    def review(ctx: typer.Context) -> None:
        """List the names that no rule could match, with the best guesses; `teams link` links one."""
        from touchline.database.engine import connect
        from touchline.identity import teams

        with connect(ready(ctx), "ingest") as connection:
            found = teams.open_reviews(connection)
        if found or state(ctx).as_json:
            emit(ctx, [asdict(item) for item in found], _review_table(found))
        else:
            console.print("No name is in doubt.")

    @group.command(name="list")
    def list_command(
        ctx: typer.Context,
        source: Annotated[str | None, typer.Option(help="only the names of this source")] = None,
    ) -> None:
        """List the linked names, with the rule that matched them and its score."""
        from touchline.database.engine import connect
        from touchline.identity import teams

        with connect(ready(ctx), "ingest") as connection:
            found = [item for item in teams.links(connection, source) if item.team is not None]
        emit(ctx, [asdict(item) for item in found], _link_table(found))

    @group.command(name="link")
    def link(
        ctx: typer.Context,
        alias: Annotated[str, typer.Argument(help="the name as the source writes it")],
        team: Annotated[str, typer.Argument(help="the team as the season files write it")],
        source: Source,
        country: Country,
    ) -> None:
        """Link a source's name to a team, then use the rows that waited for it, without fetching again."""
        from touchline.database.engine import connect
        from touchline.identity import teams
        from touchline.landing.replay import replay_rejected
        from touchline.landing.resolve import TEAM_RULE
        from touchline.run_id import new_run_id

        settings, clock, run_id = ready(ctx), state(ctx).clock, new_run_id("teams")
        with connect(settings, "ingest") as connection:
            made = teams.link(connection, source, country, alias, team, clock.as_of, run_id)
        emit(ctx, LinkReport(made, replay_rejected(settings, clock, run_id, source, TEAM_RULE)))

    @group.command(name="unlink")
    def unlink(
        ctx: typer.Context,
        alias: Annotated[str, typer.Argument(help="the name as the source writes it")],
        source: Source,
        country: Country,
    ) -> None:
        """Undo a link: from now on rows with the name wait until `teams link` links it again; landed facts stay."""
        from touchline.database.engine import connect
        from touchline.identity import teams
        from touchline.run_id import new_run_id

        with connect(ready(ctx), "ingest") as connection:
            made = teams.unlink(
                connection, source, country, alias, state(ctx).clock.as_of, new_run_id("teams")
            )
        emit(ctx, made)
        if not state(ctx).as_json:
            console.print(
                f"{source} no longer means a team by {alias!r} ({country}).", markup=False, highlight=False
            )


def _review_table(found: list[Review]) -> Table:
    table = Table(title=f"{len(found)} names in doubt")
    for name in (
        "source",
        "country",
        "competition",
        "season",
        "name",
        "best guess",
        "likeness",
        "next",
        "likeness",
    ):
        table.add_column(name, justify="right" if name == "likeness" else "left")
    for item in found:
        table.add_row(
            item.source, item.country, item.competition, item.season, escape(item.alias), escape(item.candidate or ""),
            _score(item.score), escape(item.runner_up or ""), _score(item.runner_up_score),
        )  # fmt: skip
    return table


def _link_table(found: list[Link]) -> Table:
    table = Table(title=f"{len(found)} names linked")
    for name in ("source", "country", "name", "team", "by", "score", "since"):
        table.add_column(name, justify="right" if name == "score" else "left")
    for item in found:
        table.add_row(
            item.source, item.country, escape(item.alias), escape(item.team or ""), item.method, _score(item.score),
            f"{item.observed_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    return table


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.0f}"
