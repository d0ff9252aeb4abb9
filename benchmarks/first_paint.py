"""How soon pages are seen: the first contentful paint of Chromium, beside that of a page without data.

Each page is loaded by a browser that has kept nothing, in turn with the others, and more than a second after it was
last made, so that the server makes it anew. The baseline is the form for signing in, of the same server and run.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.api import PORT, serving, world
from benchmarks.own_server import own_server
from benchmarks.real_seasons import archive

N_LOADS: Final = 15
# What a week has in 22 competitions.
N_FIXTURES: Final = 250
PROMISED_MS: Final = 1_000
PAINTED: Final = "performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)"


def main() -> None:
    """Measure, and print a row for each page."""
    program = shutil.which("chromium")
    if program is None or not archive().exists():
        Console().print(
            f"first paint: skipped, it needs chromium (apt-get install chromium) and real data at {archive()}"
        )
        return
    with own_server() as settings, tempfile.TemporaryDirectory() as folder:
        _, matches = world(settings, Path(folder), N_FIXTURES)
        pages = {
            "a page without data": "/sign-in", "the board": "/", "a match": f"/matches/{matches[0]}",
            "a competition": "/competitions/E0", "the models": "/models",
        }  # fmt: skip
        with serving(settings), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            painted: dict[str, list[float]] = {name: [] for name in pages}
            # The first round warms up server and browser.
            for number in range(N_LOADS + 1):
                for name, path in pages.items():
                    milliseconds = _load(browser, path)
                    if number:
                        painted[name].append(milliseconds)
                time.sleep(1.1)
            browser.close()
    baseline = statistics.median(painted["a page without data"])
    table = Table(title=f"First contentful paint: {N_LOADS} loads each, promised within {PROMISED_MS:,} ms")
    for name in ("page", "median ms", "slowest ms", "of the baseline"):
        table.add_column(name, justify="left" if name == "page" else "right")
    for name, found in painted.items():
        median = statistics.median(found)
        table.add_row(name, f"{median:.0f}", f"{max(found):.0f}", f"{median / baseline:.2f}")
    Console(width=110).print(table)


def _load(browser: Browser, path: str) -> float:
    """Milliseconds from the beginning of the navigation to the first contentful paint."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{PORT}{path}")
    # The page's own policy lets nothing wait in it.
    while not (painted := page.evaluate(PAINTED)):
        page.wait_for_timeout(10)
    context.close()
    return float(painted[0])


if __name__ == "__main__":
    main()
