"""What a fresh process has loaded after it has run some code."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def loaded_by(code: str, **variables: str) -> set[str]:
    """Names of the modules of a fresh process after it has run `code`."""
    told = f"{code}\nimport json, sys\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", told],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return set(json.loads(done.stderr.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}
