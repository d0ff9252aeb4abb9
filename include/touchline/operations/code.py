"""A digest of the code: it changes with what a step or a service would do."""

from __future__ import annotations

import hashlib
from functools import cache

from touchline.settings import PROJECT_ROOT

FOLDERS = {"include": "*.*", "plugins": "*.py", "dags": "*.py", "dbt_project": "*.*"}
FILES = ("airflow.cfg", "requirements.txt")
SOURCE_FILES = {".py", ".sql", ".yml", ".csv"}


@cache
def code_digest() -> str:
    """SHA-256 over names and contents of the project's code, configuration and pinned packages."""
    digest = hashlib.sha256()
    found = [
        path
        for folder, pattern in FOLDERS.items()
        for path in (PROJECT_ROOT / folder).rglob(pattern)
        if path.suffix in SOURCE_FILES
    ]
    for path in sorted([*found, *(PROJECT_ROOT / name for name in FILES)]):
        digest.update(str(path.relative_to(PROJECT_ROOT)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
