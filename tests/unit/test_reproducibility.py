"""The same matches, code and seed give the same probabilities, bit for bit, in another process too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import hashlib
from touchline.forecasting.forecaster import fit_forecaster
from training_frames import QUICK, simulated_matches

matches = simulated_matches(n_seasons=2)
found = fit_forecaster(matches, QUICK).probabilities(matches)
print(hashlib.sha256(b"".join(found[name].tobytes() for name in sorted(found))).hexdigest())
"""


@pytest.mark.slow
def test_processes_that_order_their_sets_otherwise_forecast_the_same():
    answers = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        answers.add(done.stdout.strip())
    assert len(answers) == 1
    assert len(answers.pop()) == 64
