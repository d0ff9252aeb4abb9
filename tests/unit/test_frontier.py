"""What the table of parts leaves out: features that exist, and nothing else."""

from __future__ import annotations

import pandas as pd
import pytest
from benchmarks.frontier import PARTS, Part, without

from touchline.forecasting.specs import ForecasterParameters
from touchline.registry.parameters import flat
from training_frames import simulated_matches

EVERY_PART = [part for parts in PARTS.values() for part in parts]


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=1, n_a_season=20)


@pytest.mark.parametrize("part", EVERY_PART, ids=lambda part: part.name)
def test_every_part_names_features_or_parameters_that_exist(part: Part, matches: pd.DataFrame):
    assert part.values.keys() <= flat(ForecasterParameters()).keys()
    reduced = without(matches, part)
    gone = [name for name in matches if reduced[name].isna().all()]
    assert bool(gone) == bool(part.features)
    pd.testing.assert_frame_equal(reduced.drop(columns=gone), matches.drop(columns=gone))


def test_a_part_that_names_nothing_is_refused(matches: pd.DataFrame):
    with pytest.raises(ValueError, match="no feature matches referee_"):
        without(matches, Part("referees", r"referee_\w+"))
