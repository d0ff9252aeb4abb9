"""Pages for people: the frame and the one stylesheet that every page has, and how their templates are read."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader


def environment(templates: Path) -> Environment:
    """Templates of a folder, which may extend `page.html`. Whatever they are given is escaped."""
    return Environment(
        loader=FileSystemLoader([templates, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
