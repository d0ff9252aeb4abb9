"""The ledger takes no lie from the role that writes it, and shows every change, even by its owner, to a stranger."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import errors
from typer.testing import CliRunner

from databases import copy_of
from predictions import KICKOFF, announce, insert_outcome, insert_prediction, know_result
from touchline.cli import app
from touchline.database import bootstrap
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.ledger.digests import digests_file, export_ledger, publish_digest, write_lines
from touchline.ledger.verify_ledger import verify
from touchline.settings import Settings

ANOTHER = "00000000-0000-0000-0000-000000000002"
LIVE = {"clock": "live", "predicted_at": datetime.now(UTC), "features_as_of": KICKOFF}


def refused(settings: Settings, insert: Any, *given: Any, **changes: Any) -> str | None:
    """The name of the rule by which the ledger refuses a row that the role of models writes."""
    with connect(settings, "model") as connection, pytest.raises(errors.CheckViolation) as caught:
        insert(connection, *given, **changes)
    return caught.value.diag.constraint_name


@pytest.mark.parametrize(("changes", "rule"), [
    ({"match_id": ANOTHER}, "prediction_of_announced_match"),
    ({"kickoff_at": KICKOFF + timedelta(hours=2)}, "prediction_of_announced_match"),
    ({"home_team": "Leeds", "away_team": "Arsenal"}, "prediction_of_announced_match"),
    ({"competition": "E1"}, "prediction_of_announced_match"),
    ({"season": "2021/22"}, "prediction_of_announced_match"),
    ({"is_simulated": True}, "prediction_of_this_world"),
])  # fmt: skip
def test_a_prediction_says_of_its_match_what_was_announced(
    settings: Settings, changes: dict[str, Any], rule: str
):
    announce(settings)
    assert refused(settings, insert_prediction, **changes) == rule
    with connect(settings, "model") as connection:
        insert_prediction(connection)


@pytest.mark.parametrize("change", ["is_played = true", "status = 'postponed'"])
def test_a_match_that_is_not_ahead_is_not_predicted_whatever_the_clock(settings: Settings, change: str):
    announce(settings)
    with connect(settings, "transform") as connection:
        connection.execute(f"update core.match set {change}")
    assert refused(settings, insert_prediction) == "prediction_of_announced_match"


def test_nothing_is_predicted_where_no_world_and_no_match_is_known(settings: Settings):
    assert refused(settings, insert_prediction) == "prediction_of_this_world"
    with connect(settings, "ingest") as connection:
        connection.execute("insert into ops.world values (false, 'test')")
    with connect(settings, "model") as connection, pytest.raises(errors.UndefinedTable):
        insert_prediction(connection)


def test_live_and_virtual_predictions_never_share_a_database(settings: Settings):
    ahead = {"kickoff_at": datetime.now(UTC) + timedelta(days=1), "match_id": ANOTHER}
    announce(settings)
    announce(settings, **ahead)
    with copy_of(settings) as live:
        with connect(live, "model") as connection:
            insert_prediction(connection, **ahead, **LIVE)
        assert refused(live, insert_prediction) == "prediction_by_this_clock"
    with connect(settings, "model") as connection:
        insert_prediction(connection)
    assert refused(settings, insert_prediction, **ahead, **LIVE) == "prediction_by_this_clock"


@pytest.mark.parametrize(("changes", "rule"), [
    ({"home_goals": 9, "away_goals": 0, "outcome": "away"}, "outcome_of_scoreline"),
    ({"home_goals": 9, "away_goals": 0}, "outcome_of_known_result"),
    ({"home_goals": 1, "away_goals": 2, "outcome": "away"}, "outcome_of_known_result"),
    ({"settled_at": KICKOFF + timedelta(hours=1)}, "outcome_of_known_result"),
    ({"log_loss": 0.1}, "scores_of_prediction"),
    ({"brier": 0.1}, "scores_of_prediction"),
    ({"rps": 0.1}, "scores_of_prediction"),
    ({"is_correct": False}, "scores_of_prediction"),
])  # fmt: skip
def test_an_outcome_is_that_of_the_match_and_its_scores_those_of_the_prediction(
    settings: Settings, changes: dict[str, Any], rule: str
):
    announce(settings)
    with connect(settings, "model") as connection:
        made = insert_prediction(connection)
    know_result(settings, 2, 1)
    assert refused(settings, insert_outcome, made, **changes) == rule
    with connect(settings, "model") as connection:
        insert_outcome(connection, made)


def test_a_match_without_a_result_has_no_outcome(settings: Settings):
    announce(settings)
    with connect(settings, "model") as connection:
        made = insert_prediction(connection)
    assert refused(settings, insert_outcome, made) == "outcome_of_known_result"


FILL_CORE = """
insert into core.match
select md5(n::text)::uuid, 'E0', '2022/23', 'Home ' || n, 'Away ' || n,
    '2022-11-02 15:00Z'::timestamptz + n * interval '1 hour'
from generate_series(%(first)s::integer, %(last)s::integer) as n;
"""
FILL_PREDICTIONS = """
insert into ledger.prediction (prediction_id, match_id, competition, season, home_team, away_team, kickoff_at,
    model_name, model_version, forecast, role, predicted_at, features_as_of, clock, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, scoreline_grid, features, feature_hash, feature_store, is_simulated,
    run_id)
select match_id, match_id, competition, season, home_team, away_team, kickoff_at, 'model', '1', 'with_odds', 'champion',
    kickoff_at - interval '1 day', kickoff_at - interval '1 day', 'virtual', 0.5, 0.3, 0.2, 1.6, 1.0,
    '{{0.5,0.2},{0.3,0.0}}', '{"home_elo": 1512.5, "away_elo": null}', 'hash', 'online', false, 'fill'
from core.match where kickoff_at > %(first)s * interval '1 hour' + '2022-11-02 14:59Z'::timestamptz
"""
FILL_RESULTS = (
    "insert into core.match_result select match_id, 2, 1, kickoff_at from core.match on conflict do nothing"
)
FILL_OUTCOMES = """
insert into ledger.prediction_outcome (prediction_id, revision, home_goals, away_goals, outcome, rps, log_loss, brier,
    is_correct, settled_at, run_id)
select prediction_id, 1, 2, 1, 'home', 0.145, -ln(0.5::float8), 0.38, true, kickoff_at, 'fill'
from ledger.prediction where kickoff_at > %(first)s * interval '1 hour' + '2022-11-02 14:59Z'::timestamptz
"""
N_DIGESTS = 4


@dataclass(frozen=True)
class Proven:
    """A ledger and the digests of it that a stranger has kept."""

    settings: Settings
    digests: Sequence[str]


def fill(settings: Settings, n_rows: int) -> Proven:
    """`n_rows` rows, a prediction and its outcome for each match, in runs with a digest after each."""
    announce(settings, match_id=ANOTHER)
    of_a_run = n_rows // 2 // N_DIGESTS
    for run in range(N_DIGESTS):
        stretch = {"first": run * of_a_run + 1, "last": (run + 1) * of_a_run}
        for role, statement in (
            ("transform", FILL_CORE), ("model", FILL_PREDICTIONS),
            ("transform", FILL_RESULTS), ("model", FILL_OUTCOMES),
        ):  # fmt: skip
            with connect(settings, role) as connection:
                connection.execute(statement, stretch)
        publish_digest(settings)
    return Proven(settings, digests_file(settings).read_text().splitlines())


@pytest.fixture(scope="module")
def proven(module_settings: Settings) -> Proven:
    return fill(module_settings, 200)


def wrong(connection: Connection, digests: Sequence[str], path: Path) -> list[str]:
    """What a stranger finds in an export of what the connection sees."""
    write_lines(connection, path)
    with path.open("rb") as lines:
        return verify(lines, digests)[0]


# As the owner would: triggers first.
UNGUARDED = "alter table {} disable trigger user"
TABLES = ("ledger.prediction", "ledger.prediction_outcome", "ledger.chain")
LIES = {
    "prediction": (
        "p_home = p_away, p_away = p_home", "expected_home_goals = expected_home_goals + 1e-12",
        "predicted_at = predicted_at + interval '1 hour'", "features_as_of = features_as_of - interval '1 microsecond'",
        "recorded_at = recorded_at - interval '1 microsecond'", "kickoff_at = kickoff_at + interval '1 day'",
        "match_id = gen_random_uuid()", "competition = 'E1'", "season = '2021/22'", "home_team = away_team",
        "away_team = ''", "model_name = 'another'", "model_version = '2'", "forecast = 'elo'", "role = 'baseline'",
        "scoreline_grid[1][1] = 0.500001", "features = features || '{\"away_elo\": 1}'", "feature_hash = 'other'",
        "feature_store = 'offline'", "is_simulated = true", "run_id = 'another'",
    ),
    "prediction_outcome": (
        "home_goals = 3", "home_goals = 1, outcome = 'draw'", "rps = 0", "log_loss = log_loss / 2", "brier = 0",
        "is_correct = false", "p_closing_home = 0.5", "closing_line_value = 0.1", "revision = 2", "run_id = 'another'",
        "settled_at = settled_at + interval '1 day'", "recorded_at = recorded_at + interval '1 microsecond'",
    ),
}  # fmt: skip
LINKED_AGAIN = """
do $$
declare
    previous bytea := '';
    entry record;
begin
    for entry in
        select chain.position as old, row_number() over (order by chain.position) as place, coalesce(
            (select ledger.text_of(prediction) from ledger.prediction
                where prediction.prediction_id = chain.prediction_id and chain.revision is null),
            (select ledger.text_of(said) from ledger.prediction_outcome as said
                where said.prediction_id = chain.prediction_id and said.revision = chain.revision)) as said
        from ledger.chain
    loop
        previous := sha256(previous || convert_to(coalesce(entry.said, 'null'), 'UTF8'));
        update ledger.chain set position = entry.place, hash = previous
        where position = entry.old and (position, hash) is distinct from (entry.place, previous);
    end loop;
end $$
"""
FORGED = """
with forged as (
    insert into ledger.prediction (prediction_id, match_id, competition, season, home_team, away_team, kickoff_at,
        model_name, model_version, forecast, role, predicted_at, features_as_of, clock, p_home, p_draw, p_away,
        expected_home_goals, expected_away_goals, scoreline_grid, features, feature_hash, feature_store, is_simulated,
        run_id, recorded_at)
    select gen_random_uuid(), match_id, competition, season, home_team, away_team, kickoff_at, model_name, '9',
        forecast, role, predicted_at, features_as_of, clock, 1, 0, 0, expected_home_goals, expected_away_goals,
        scoreline_grid, features, feature_hash, feature_store, is_simulated, run_id, recorded_at
    from ledger.prediction where prediction_id = %(prediction_id)s
    returning prediction_id
)
select prediction_id::text from forged
"""


def tamper(connection: Connection, chance: random.Random) -> str:
    """Change the ledger as its owner in one of many ways, with all traces removed or some; says how."""
    for table in TABLES:
        connection.execute(UNGUARDED.format(table))
    connection.execute("alter table ledger.chain drop constraint chain_position_check")
    links = rows(connection, "select position, prediction_id, revision from ledger.chain order by position")
    link, other = chance.sample(links, 2)
    table = "prediction" if link["revision"] is None else "prediction_outcome"
    of_row = "prediction_id = %(prediction_id)s" + (
        "" if table == "prediction" else " and revision = %(revision)s"
    )
    how = chance.choice(["change", "change", "change", "remove", "cut", "insert", "append", "swap", "hash"])
    is_linked_again = chance.random() < 0.5
    if how == "change":
        how = chance.choice(LIES[table])
        connection.execute(f"update ledger.{table} set {how} where {of_row}", link)
        if how == "revision = 2" and is_linked_again:
            connection.execute("update ledger.chain set revision = 2 where position = %(position)s", link)
    elif how == "remove":
        for each in ("prediction_outcome", "prediction")[: 1 if table == "prediction_outcome" else 2]:
            connection.execute(f"delete from ledger.{each} where prediction_id = %(prediction_id)s", link)
        if is_linked_again:
            connection.execute(
                "delete from ledger.chain where prediction_id = %(prediction_id)s and "
                "(%(revision)s::integer is null or revision is not null)",
                link,
            )
    elif how == "cut":
        cut = {"from": links[-chance.randint(1, 20)]["position"]}
        for each, of_a_prediction in (("prediction_outcome", False), ("prediction", True)):
            connection.execute(
                f"delete from ledger.{each} as gone using ledger.chain where position >= %(from)s "
                "and chain.prediction_id = gone.prediction_id and (chain.revision is null) = %(of_a_prediction)s",
                cut | {"of_a_prediction": of_a_prediction},
            )
        connection.execute("delete from ledger.chain where position >= %(from)s", cut)
    elif how in ("insert", "append"):
        made = {"made": scalar(connection, FORGED, link), "position": link["position"]}
        if how == "append":
            made["position"] = len(links)
        elif is_linked_again:
            connection.execute(
                "update ledger.chain set position = position + 1000000 where position > %(position)s", made
            )
        if how == "append" or is_linked_again:
            connection.execute(
                "insert into ledger.chain select %(position)s + 1, prediction_id, null, sha256(hash || "
                "convert_to(ledger.text_of(prediction), 'UTF8')) from ledger.prediction, "
                "(select hash from ledger.chain where position = %(position)s) as last where prediction_id = %(made)s",
                made,
            )
    elif how == "swap":
        first, second = link["position"], other["position"]
        for old, new in ((first, -1), (second, first), (-1, second)):
            connection.execute("update ledger.chain set position = %s where position = %s", (new, old))
    else:
        connection.execute("update ledger.chain set hash = sha256(hash) where position = %(position)s", link)
    # Hashes alone, set right again, would be what they were.
    if is_linked_again and how != "hash":
        connection.execute(LINKED_AGAIN)
    return f"{how} of {link}, linked again: {is_linked_again}"


def unnoticed(proven: Proven, n: int, path: Path) -> list[str]:
    """Tamperings, out of `n` at random, in which a stranger finds nothing wrong."""
    chance, missed = random.Random(n), []
    with connect(proven.settings, "owner") as connection:
        assert wrong(connection, proven.digests, path) == []
        for _ in range(n):
            how = tamper(connection, chance)
            if not wrong(connection, proven.digests, path):
                missed.append(how)
            # Whole transactions: of those within another, what was undone stays in the way of the next.
            connection.rollback()
        assert wrong(connection, proven.digests, path) == []
    return missed


def test_no_tampering_by_the_owner_goes_unnoticed_and_nothing_is_found_where_nobody_tampered(
    proven: Proven, tmp_path: Path
):
    assert unnoticed(proven, 60, tmp_path / "lines") == []


@pytest.mark.nightly  # By day the test above.
def test_none_of_a_thousand_tamperings_with_ten_thousand_rows_goes_unnoticed(
    settings: Settings, tmp_path: Path
):
    assert unnoticed(fill(settings, 10_000), 1_000, tmp_path / "lines") == []


@pytest.mark.parametrize(("table", "lie"), [(table, lie) for table, lies in LIES.items() for lie in lies])
def test_a_change_is_found_where_it_is(proven: Proven, tmp_path: Path, table: str, lie: str):
    with connect(proven.settings, "owner") as connection:
        connection.execute(UNGUARDED.format(f"ledger.{table}"))
        (link,) = rows(
            connection,
            "select * from ledger.chain where (revision is null) = %s order by position offset 7 limit 1",
            (table == "prediction",),
        )
        connection.execute(f"update ledger.{table} set {lie} where prediction_id = %(prediction_id)s", link)
        found = wrong(connection, proven.digests, tmp_path / "lines")
        connection.rollback()
    # A row under another key is one that was removed and one that nobody wrote.
    assert len(found) == (2 if lie == "revision = 2" else 1)
    assert found[0].startswith(f"line {link['position']} is not what was written there")


def test_every_column_of_the_ledger_is_in_the_text_that_is_chained(proven: Proven):
    with connect(proven.settings, "owner") as connection:
        for table, in_digest in (
            ("prediction", {"scoreline_grid", "features"}),
            ("prediction_outcome", set()),
        ):
            said = json.loads(
                scalar(connection, f"select ledger.text_of(said) from ledger.{table} as said limit 1")
            )
            columns = {row["name"] for row in rows(
                connection, "select column_name as name from information_schema.columns "
                "where table_schema = 'ledger' and table_name = %s", (table,)
            )}  # fmt: skip
            assert said.keys() == (columns - in_digest) | {f"{name}_sha256" for name in in_digest} | {"kind"}


def test_the_text_is_the_same_whatever_a_session_prefers(proven: Proven):
    def said() -> list[Any]:
        return connection.execute(
            "select ledger.text_of(prediction) from ledger.prediction union all "
            "select ledger.text_of(said) from ledger.prediction_outcome as said union all "
            "select ledger.text_of(digest) from ledger.digest"
        ).fetchall()

    with connect(proven.settings, "owner") as connection:
        before = said()
        for name, value in (("timezone", "Asia/Tokyo"), ("datestyle", "German"), ("extra_float_digits", "-5"),
                            ("bytea_output", "escape"), ("intervalstyle", "iso_8601")):  # fmt: skip
            connection.execute(f"set {name} = '{value}'")
        assert said() == before


def test_writers_at_once_and_some_that_roll_back_leave_one_chain_in_order(settings: Settings, tmp_path: Path):
    announce(settings)

    def write(number: int) -> None:
        with connect(settings, "model") as connection:
            insert_prediction(connection, feature_hash=str(number))
            insert_prediction(connection, feature_hash=f"{number}, too")
            if number % 3 == 0:
                connection.rollback()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(30)))
    publish_digest(settings)
    with connect(settings, "api") as connection:
        links = rows(connection, "select position, recorded_at from ledger.chain join ledger.prediction "
                     "using (prediction_id) order by position")  # fmt: skip
        assert [link["position"] for link in links] == [*range(1, 41)]
        times = [link["recorded_at"] for link in links]
        assert times == sorted(times)
        assert wrong(connection, digests_file(settings).read_text().splitlines(), tmp_path / "lines") == []


def test_a_row_dated_back_before_a_digest_is_found_though_all_hashes_agree(proven: Proven, tmp_path: Path):
    with connect(proven.settings, "owner") as connection:
        (last,) = rows(connection, "select * from ledger.chain order by position desc limit 1")
        made = {"position": last["position"], "made": scalar(connection, FORGED, last)}
        assert scalar(connection, "select position from ledger.chain where prediction_id = %(made)s", made)
        (found,) = wrong(connection, proven.digests, tmp_path / "lines")
        connection.rollback()
    assert f"line {last['position'] + 1} says that it was recorded at" in found


def test_what_was_written_before_is_chained_by_the_migration(settings: Settings, tmp_path: Path):
    bootstrap.downgrade(settings, "0018")
    with connect(settings, "model") as connection:
        for number in range(3):
            made = insert_prediction(connection, feature_hash=str(number))
            insert_outcome(connection, made)
    with connect(settings, "ingest") as connection:
        connection.execute("insert into ops.world values (false, 'test')")
    bootstrap.migrate(settings)
    publish_digest(settings)
    with connect(settings, "owner") as connection:
        assert scalar(connection, "select clock from ops.world") == "virtual"
        assert scalar(connection, "select max(position) from ledger.chain") == 6
        assert wrong(connection, digests_file(settings).read_text().splitlines(), tmp_path / "lines") == []


@pytest.fixture
def exported(proven: Proven, tmp_path: Path) -> Path:
    """An export in a folder of its own."""
    export_ledger(proven.settings, tmp_path)
    return tmp_path


def test_an_export_is_verified_without_our_package(exported: Path):
    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "verify_ledger.py", "ledger.jsonl", "digests.jsonl"]
        return subprocess.run(command, cwd=exported, capture_output=True, text=True, check=False)

    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "rows: 200, predictions: 100, live: 0" in done.stdout
    path = exported / "ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:50], *lines[51:]]))
    done = run()
    assert done.returncode == 1
    assert "line 51 is not what was written there" in done.stdout


def test_lines_are_json_and_features_and_grid_are_those_of_their_digests(exported: Path, proven: Proven):
    lines = [json.loads(line) for line in (exported / "ledger.jsonl").read_text().splitlines()]
    assert all(len(line["hash"]) == 64 for line in lines)
    names = ("features", "scoreline_grid")
    digests = (f"encode(sha256(convert_to({name}::text, 'UTF8')), 'hex') as {name}_sha256" for name in names)
    query = f"select prediction_id::text, {', '.join(digests)} from ledger.prediction"
    with connect(proven.settings, "analyst") as connection:
        expected = {row.pop("prediction_id"): row for row in rows(connection, query)}
    said = {
        line["row"]["prediction_id"]: {f"{name}_sha256": line["row"][f"{name}_sha256"] for name in names}
        for line in lines
        if line["row"]["kind"] == "prediction"
    }  # fmt: skip
    assert said == expected


def test_live_predictions_in_a_digest_before_their_kickoff_are_counted(settings: Settings, tmp_path: Path):
    now = datetime.now(UTC)
    ahead = {"kickoff_at": now + timedelta(days=1)}
    soon = {"kickoff_at": now + timedelta(seconds=5), "match_id": ANOTHER}
    for match in (ahead, soon):
        announce(settings, **match)
        with connect(settings, "model") as connection:
            insert_prediction(connection, **match, **LIVE)
    publish_digest(settings)
    export_ledger(settings, tmp_path)
    lines = (tmp_path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (digest,) = map(json.loads, digests_file(settings).read_text().splitlines())
    late = digest | {"taken_at": (soon["kickoff_at"] + timedelta(seconds=1)).isoformat()}
    counts = [verify(lines, [json.dumps(given)])[1] for given in (digest, late)]
    assert [(each["live"], each["live_proven"]) for each in counts] == [(2, 2), (2, 1)]


def test_a_digest_is_noted_once_and_never_taken_out_of_the_file(settings: Settings):
    announce(settings)
    path = digests_file(settings)
    for number in range(2):
        with connect(settings, "model") as connection:
            insert_prediction(connection, feature_hash=str(number))
        for _ in range(2):
            publish_digest(settings)
    kept = path.read_text()
    assert [json.loads(line)["position"] for line in kept.splitlines()] == [1, 2]
    with connect(settings, "owner") as connection:
        connection.execute("set touchline.bypass_reason = 'nobody shall know'")
        connection.execute("delete from ledger.digest")
    publish_digest(settings)
    assert path.read_text().startswith(kept)


def test_commands_take_a_digest_export_and_verify(proven: Proven, tmp_path: Path):
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["ledger", *arguments], env=proven.settings.environment())

    assert run("digest").stdout.split() == [str(digests_file(proven.settings))]
    assert run("export", "--to", str(tmp_path)).exit_code == 0
    lines, digests = tmp_path / "ledger.jsonl", tmp_path / "digests.jsonl"
    verified = run("verify", str(lines), str(digests))
    assert (verified.exit_code, "rows: 200" in verified.output) == (0, True)
    lines.write_bytes(lines.read_bytes().replace(b'"outcome":"home"', b'"outcome":"away"', 1))
    verified = run("verify", str(lines), str(digests))
    assert verified.exit_code == 1
    assert "is not what was written there" in verified.output
