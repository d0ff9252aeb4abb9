"""What a reader of a page reads."""

from __future__ import annotations

import re


def words(html: str) -> str:
    """The text of a page, without its styles, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("</style>")[2]).split())
