"""Writes the client from the API's OpenAPI document when the package is built, so that none of it is kept by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
PACKAGE = "touchline_client"
# A typed reply is whole, and JSON; nor does the client keep replies that a 304 would stand for.
UNTYPED_PARAMETERS = {"fields", "format"}
UNTYPED_STATUS = "304"
JSON = "application/json"


class GenerateClient(build_py):
    """Builds the package that openapi-python-client writes."""

    def run(self) -> None:
        """Write it where packages are built."""
        target = Path(self.build_lib, PACKAGE)
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder, "openapi.json")
            document.write_text(json.dumps(typed(json.loads((HERE / "openapi.json").read_text()))))
            subprocess.run(
                [
                    sys.executable, "-c", "from openapi_python_client.cli import app; app()", "generate", "--overwrite",
                    "--fail-on-warning", "--meta=none", f"--path={document}", f"--config={HERE / 'generator.json'}",
                    f"--output-path={target}",
                ],
                check=True,
            )  # fmt: skip
        (target / "py.typed").touch()


def typed(document: dict[str, Any]) -> dict[str, Any]:
    """The document without what leads to replies that have no type."""
    for methods in document["paths"].values():
        for route in methods.values():
            route["responses"].pop(UNTYPED_STATUS, None)
            route["parameters"] = [
                each for each in route.get("parameters", []) if each["name"] not in UNTYPED_PARAMETERS
            ]
            for reply in route["responses"].values():
                if JSON in reply.get("content", {}):
                    reply["content"] = {JSON: reply["content"][JSON]}
    return document


setup(cmdclass={"build_py": GenerateClient})
