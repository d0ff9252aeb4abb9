"""The generated passwords and keys of an installation: one file each, so that a process can have one and no others."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def variable_of(name: str) -> str:
    """The variable by which an environment gives a credential."""
    return f"TOUCHLINE_{name.upper()}_PASSWORD"


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, as a whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


class Credentials(Mapping[str, str]):
    """`<folder>/<name>` (mode 600), made when first asked for; a variable of `environment` wins over its file."""

    def __init__(self, names: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._names = names
        self._folder = folder
        # Where installations kept all of them before.
        self._one_file = folder.with_suffix(".json")
        self._environment = environment

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        if given := self._environment.get(variable_of(name)):
            return given
        path = self._folder / name
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            kept: dict[str, str] = {}
            with suppress(FileNotFoundError):
                kept = json.loads(self._one_file.read_text())
            for each, value in {name: secrets.token_urlsafe(32), **kept}.items():
                self._keep(each, value)
            self._one_file.unlink(missing_ok=True)
        return path.read_text()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def missing(self, *names: str) -> list[str]:
        """Those of the names that neither a variable nor a file gives; they would be made when asked for."""
        return [
            name
            for name in names
            if not self._environment.get(variable_of(name)) and not (self._folder / name).exists()
        ]

    def _keep(self, name: str, value: str) -> None:
        """Of several processes that make the same credential at once, the first is believed by all."""
        with tempfile.NamedTemporaryFile("w", dir=self._folder) as draft, suppress(FileExistsError):
            draft.write(value)
            draft.flush()
            os.link(draft.name, self._folder / name)
