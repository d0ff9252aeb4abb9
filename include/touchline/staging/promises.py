"""What Touchline promises, and whether an installation kept it while it was watched: each with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from touchline.backup.compare import differences, digest_tables
from touchline.backup.restore import restore
from touchline.database.engine import connect, open_url, rows
from touchline.database.queries import query
from touchline.ledger import verify_ledger
from touchline.ledger.digests import digests_file, export_ledger
from touchline.operations import services
from touchline.settings import Settings
from touchline.staging.installation import Installation

PROMISES: Final = {
    1: "Nothing knows the future",
    2: "Truth is append-only",
    3: "Nothing is lost",
    4: "Every step can run again",
    5: "Same code from laptop to cluster",
    6: "It runs unattended",
}
# Features go through the online store in single precision.
TOLERANCE: Final = 1e-6
# Of everything that holds facts; `landing` keeps when something was seen again.
REPEATED: Final = ("core.", "features.", "ledger.")
BUILT_LATER: Final = "the same build made later, as of then, gives the features that were predicted with"

Figures = Mapping[str, float | int | str | None]


@dataclass(frozen=True)
class Verdict:
    """Whether something was as promised. `is_kept` is None where it was not judged; then `note` says why."""

    promise: int
    what: str
    is_kept: bool | None
    figures: Figures
    note: str = ""

    @property
    def word(self) -> str:
        """kept, broken or not judged."""
        return "not judged" if self.is_kept is None else "kept" if self.is_kept else "broken"


@dataclass(frozen=True)
class Mark:
    """What was there at an instant, to be found again: payloads with their digest, and the ledger's digests so far."""

    payloads: Figures
    ledger_digests: tuple[str, ...]


def mark(settings: Settings) -> Mark:
    """Note what is there now."""
    path = digests_file(settings)
    lines = tuple(path.read_text().splitlines()) if path.exists() else ()
    return Mark(_payloads(settings, 2**62), lines)


def append_only(settings: Settings, marks: Sequence[Mark]) -> Iterator[Verdict]:
    """Whether what was there at each mark still is, as it was."""
    changed = [
        each.payloads["last_id"] for each in marks
        if _payloads(settings, int(each.payloads["last_id"] or 0)) != each.payloads
    ]  # fmt: skip
    last = marks[-1].payloads
    yield Verdict(
        2, "payloads stay as they were received", not changed,
        {"payloads": last["n"], "times looked": len(marks), "times changed": len(changed)},
    )  # fmt: skip
    # Those that were handed out then, not those of the end.
    digests = dict.fromkeys(line for each in marks for line in each.ledger_digests)
    with TemporaryDirectory() as folder:
        export_ledger(settings, Path(folder))
        given = Path(folder) / "handed_out.jsonl"
        given.write_text("".join(f"{line}\n" for line in digests))
        wrong, found = verify_ledger.verify_files(Path(folder) / "ledger.jsonl", given)
    yield Verdict(
        2, "the ledger agrees with every digest that was handed out", not wrong,
        {"rows": found["rows"], "digests": len(digests), "wrong": len(wrong)}, "; ".join(wrong[:3]),
    )  # fmt: skip


def of_predictions(settings: Settings, since: datetime) -> Iterator[Verdict]:
    """Of the predictions written since an instant of the wall clock: none late, none from later facts, none twice."""
    found = _one(settings, "predictions", since=since)
    n = found["n_predictions"]
    yield Verdict(
        1, "no prediction rests on features of a later instant", n > 0 and found["n_with_later_features"] == 0,
        {"predictions": n, "with later features": found["n_with_later_features"]},
    )  # fmt: skip
    yield Verdict(
        2, "every prediction was made before kick-off", n > 0 and found["n_late"] == 0,
        {"predictions": n, "matches": found["n_matches"], "late": found["n_late"]},
    )  # fmt: skip
    yield Verdict(
        4, "no prediction is there twice", found["n_doubled"] == 0, {"predictions": n, "twice": found["n_doubled"]}
    )  # fmt: skip


def of_collections(settings: Settings, since: datetime) -> Iterator[Verdict]:
    """Of the bodies received since an instant of the wall clock: every row is read, or kept with its reason."""
    found = _one(settings, "collections", since=since)
    kept = found["n_not_read"] == 0 and found["n_with_lost_rows"] == 0
    yield Verdict(
        3, "every row received is parsed, or kept with its reason", kept and found["n_payloads"] > 0,
        {
            "payloads": found["n_payloads"], "rows": found["n_rows"], "parsed": found["n_parsed"],
            "kept with their reason": found["n_rejected"], "payloads not read": found["n_not_read"],
            "payloads with rows lost": found["n_with_lost_rows"],
        },
    )  # fmt: skip


def of_gates(settings: Settings, since: datetime) -> Iterator[Verdict]:
    """Of the builds since an instant of the wall clock: the gates before and after looked at what they built."""
    with connect(settings, "transform") as connection:
        ungated = rows(connection, query("staging/sql/ungated"), {"since": since})
        n = rows(
            connection,
            "select count(*) as n from ops.pipeline_run where step = 'build_core' and status = 'success' "
            "and started_at >= %(since)s",
            {"since": since},
        )[0]["n"]
    told = "; ".join(
        f"{row['step']} as of {row['as_of']:%Y-%m-%d %H:%M} without gate {row['gate']}" for row in ungated[:3]
    )
    yield Verdict(
        3, "no build went past a quality gate", n > 0 and not ungated,
        {"builds": n, "past a gate": len(ungated)}, told,
    )  # fmt: skip


def of_restored(installation: Installation, instants: Sequence[datetime]) -> Iterator[Verdict]:
    """Restore a backup, build it again as of past instants (UTC), and hold it against what was predicted then.

    When it was predicted, nothing later was known to anybody. A build that knows more by now and gives the same
    features has therefore used nothing later.
    """
    with TemporaryDirectory(prefix="touchline-restored-", ignore_cleanup_errors=True) as folder:
        # PostgreSQL may run as another user.
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        restored = restore(installation.settings, home)
        copy = Installation(_scratch(installation.settings, home), installation.code)
        try:
            compared: list[Mapping[str, Any]] = []
            for instant in instants:
                past = Installation(copy.settings.model_copy(update={"as_of": instant}), copy.code)
                past.must("build")
                with connect(past.settings, "transform") as connection:
                    compared += rows(
                        connection, query("staging/sql/differing_features"),
                        {"features_as_of": instant, "tolerance": TOLERANCE},
                    )  # fmt: skip
        finally:
            services.stop_all(copy.settings)
    n = sum(row["n_predictions"] for row in compared)
    differing = [row for row in compared if row["n_differing"]]
    yield Verdict(
        1, BUILT_LATER,
        n > 0 and not differing,
        {
            "instants": len(instants), "values": n, "differing": sum(row["n_differing"] for row in differing),
            "restore_seconds": round(restored.seconds, 1),
        },
        ", ".join(f"{row['name']} ({row['n_differing']})" for row in differing[:5]),
    )  # fmt: skip


def repeated(installation: Installation) -> Iterator[Verdict]:
    """Whether everything, built again from nothing and predicted and settled again, leaves the same tables."""
    settings = installation.settings
    before = _digests(settings)
    for command in (("build", "--full"), ("predict",), ("settle",)):
        installation.must(*command)
    differing = differences(before, _digests(settings))
    yield Verdict(
        4, "everything built, predicted and settled again leaves the same tables", not differing,
        {"tables": len(before), "rows": sum(each.n_rows for each in before.values()), "differing": len(differing)},
        "; ".join(differing[:3]),
    )  # fmt: skip


def last_instants(settings: Settings, since: datetime, n: int) -> list[datetime]:
    """Instants (UTC) as of which features were used for predictions since an instant of the wall clock, spread."""
    with connect(settings, "transform") as connection:
        found = rows(
            connection,
            "select features_as_of from ledger.prediction where recorded_at >= %(since)s and role = 'champion' "
            "group by features_as_of order by features_as_of",
            {"since": since},
        )
    instants = [row["features_as_of"] for row in found]
    return instants[:: max(1, len(instants) // n)][:n]


def _digests(settings: Settings) -> Mapping[str, Any]:
    with open_url(settings.url("backup")) as connection:
        return {name: each for name, each in digest_tables(connection).items() if name.startswith(REPEATED)}


def _scratch(settings: Settings, home: Path) -> Settings:
    ports = {name: 0 for name in Settings.model_fields if name.endswith("_port")}
    return settings.model_copy(
        update={"home": home, **ports, "backup": settings.backup.model_copy(update={"folder": None})}
    )


def _payloads(settings: Settings, last_id: int) -> Figures:
    return dict(_one(settings, "payloads_until", payload_id=last_id))


def _one(settings: Settings, name: str, **parameters: Any) -> Mapping[str, Any]:
    with connect(settings, "transform") as connection:
        return rows(connection, query(f"staging/sql/{name}"), parameters)[0]
