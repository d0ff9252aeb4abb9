"""A document as a list of blocks, written as one self-contained HTML file or as Markdown with pictures beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from touchline.pages import environment

DOTS_PER_INCH: Final = 130

_pages = environment(Path(__file__).with_name("templates"))


@dataclass(frozen=True)
class Heading:
    """A section begins; `level` 1 is the title of the document."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Banner:
    """A prominent banner."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """A cell of a table that leads to an address."""

    text: str
    address: str


@dataclass(frozen=True)
class Table:
    """Text in rows; the first column is left-aligned. A folded table opens on a click."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Link, ...], ...]
    is_folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG image; `name` is its file name beside Markdown, `caption` says what it shows."""

    name: str
    caption: str
    png: bytes

    @property
    def data(self) -> str:
        """The image as the address of an HTML image."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


Block = Heading | Paragraph | Banner | Points | Table | Picture


def html_page(title: str, blocks: Sequence[Block]) -> str:
    """The document as HTML; nothing is loaded from elsewhere."""
    kinds = [(type(block).__name__, block) for block in blocks]
    return _pages.get_template("report.html").render(title=title, blocks=kinds)


def markdown_page(blocks: Sequence[Block], pictures: str) -> str:
    """The document as Markdown, with its pictures in a folder of that name beside it."""
    return "\n\n".join(_markdown(block, pictures) for block in blocks) + "\n"


def picture(name: str, caption: str, figure: Figure) -> Picture:
    """A figure as a block; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, facecolor="white", metadata={"Software": None})
    return Picture(name, caption, buffer.getvalue())


def _markdown(block: Block, pictures: str) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return text
        case Banner(text):
            return f"> **{text}**"
        case Points(items):
            return "\n".join(f"* {item}" for item in items)
        case Table():
            return _markdown_table(block)
        case Picture(name, caption, _):
            return f"![{caption}]({pictures}/{name}.png)\n\n*{caption}*"


def _markdown_table(table: Table) -> str:
    lines = ["| " + " | ".join(_cell(each) for each in row) + " |" for row in (table.columns, *table.rows)]
    lines.insert(1, "|---" + "|---:" * (len(table.columns) - 1) + "|")
    text = "\n".join(lines)
    if table.is_folded:
        return f"<details><summary>{escape(table.title)}</summary>\n\n{text}\n\n</details>"
    return f"**{table.title}**\n\n{text}"


def _cell(cell: str | Link) -> str:
    text = (cell if isinstance(cell, str) else cell.text).replace("|", "\\|")
    return text if isinstance(cell, str) else f"[{text}]({cell.address})"
