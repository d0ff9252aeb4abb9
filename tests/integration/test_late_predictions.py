"""The promise that a prediction is in the ledger an hour before kick-off, and how its breach is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from databases import copy_of
from served_world import World
from touchline.database.engine import connect
from touchline.errors import PipelineDegraded
from touchline.monitoring.late import late_predictions
from touchline.operations.notices import notice_of
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.settings import Settings

pytestmark = pytest.mark.slow

MINUTE = timedelta(minutes=1)
# Leeds - Arsenal; its world knows nothing of Burnley - Everton's prediction, three days later.
KICKOFF = datetime(2022, 11, 2, 15, tzinfo=UTC)
UNPREDICTED = datetime(2022, 11, 5, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "is_due"), [(90 * MINUTE, False), (60 * MINUTE, True), (1 * MINUTE, True), (0 * MINUTE, False)]
)
def test_a_match_without_a_prediction_is_late_in_the_hour_before_its_kickoff(
    fixtures_ahead: Settings, before: timedelta, is_due: bool
):
    found = late_predictions(fixtures_ahead, KICKOFF - before)
    assert [line.partition(" (")[0] for line in found] == ["15:00 UTC E0 Leeds - Arsenal"] * is_due
    assert all("; to do: " in line for line in found)


def test_a_match_with_a_prediction_is_not_late(served_world: World):
    assert late_predictions(served_world.settings, KICKOFF - 60 * MINUTE) == []
    assert len(late_predictions(served_world.settings, UNPREDICTED - 60 * MINUTE)) == 1


def test_before_anything_is_built_nothing_is_late(settings: Settings):
    assert late_predictions(settings, KICKOFF) == []


def test_the_watch_fails_with_the_matches_once_a_model_was_trained(served_world: World):
    with copy_of(served_world.settings) as settings:
        late = settings.model_copy(update={"as_of": UNPREDICTED - 60 * MINUTE})
        step = STEPS["predicted_in_time"]
        assert "No model was ever trained" in run_step(late, step, "watch").summary
        with connect(late, "ingest") as connection:
            connection.execute(
                "insert into ops.pipeline_run (run_id, step, as_of, status) values ('t', 'train', now(), 'success')"
            )
        with pytest.raises(PipelineDegraded) as told:
            run_step(late, step, "watch")
        notice = notice_of("watch_kickoffs", step.name, "watch", told.value, None, "")
        assert notice.error == "PipelineDegraded: 1 match without a prediction an hour before kick-off"
        assert notice.sample[0].startswith("15:00 UTC E0 Burnley - Everton (")
        assert run_step(late.model_copy(update={"as_of": KICKOFF - 60 * MINUTE}), step, "watch").report
