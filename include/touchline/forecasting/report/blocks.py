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

STYLE: Final = Path(__file__).with_name("report.css")
DOTS_PER_INCH: Final = 130


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
    """A banner that must not be overlooked."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Text in rows; the first column is left-aligned. A folded table opens when it is asked for."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_folded: bool = False


@dataclass(frozen=True)
class Picture:
    """A PNG image; `name` is its file's beside Markdown, `caption` what is to be seen in it."""

    name: str
    caption: str
    png: bytes


Block = Heading | Paragraph | Banner | Points | Table | Picture


def html_page(title: str, blocks: Sequence[Block]) -> str:
    """The document as HTML; nothing is loaded from elsewhere."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head><body>\n"
        f"{body}\n</body></html>\n"
    )


def markdown_page(blocks: Sequence[Block], pictures: str) -> str:
    """The document as Markdown, with its pictures in a folder of that name beside it."""
    return "\n\n".join(_markdown(block, pictures) for block in blocks) + "\n"


def picture(name: str, caption: str, figure: Figure) -> Picture:
    """A figure as a block, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, facecolor="white", metadata={"Software": None})
    return Picture(name, caption, buffer.getvalue())


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Banner(text):
            return f'<div class="warning">{escape(text)}</div>'
        case Points(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Table():
            return _html_table(block)
        case Picture(_, caption, png):
            source = base64.b64encode(png).decode("ascii")
            return (
                f'<figure><img src="data:image/png;base64,{source}" alt="{escape(caption)}">'
                f"<figcaption>{escape(caption)}</figcaption></figure>"
            )


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    opened = "" if table.is_folded else " open"
    return (
        f'<details{opened}><summary>{escape(table.title)}</summary><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


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
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in (table.columns, *table.rows)
    ]
    lines.insert(1, "|---" + "|---:" * (len(table.columns) - 1) + "|")
    text = "\n".join(lines)
    if table.is_folded:
        return f"<details><summary>{escape(table.title)}</summary>\n\n{text}\n\n</details>"
    return f"**{table.title}**\n\n{text}"
