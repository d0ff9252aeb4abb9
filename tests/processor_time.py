"""`pytest --processor-time`: seconds of processor time by file, of the tests and of all that they start.

The clock says little on a machine that does other things. A service that was started for the session counts where it
works.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

SECONDS = "processor seconds"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--processor-time", action="store_true", help="show seconds of processor time by file"
    )  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not item.config.getoption("--processor-time"):
        return (yield)
    item.stash[_BEFORE] = _spent()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[pytest.TestReport]:
    report: pytest.TestReport = yield
    if _BEFORE in item.stash:
        now = _spent()
        # Each phase from where the last one stopped. Daemons that it stopped have taken their time with them.
        report.user_properties = [(SECONDS, max(0.0, now - item.stash[_BEFORE]))]
        item.stash[_BEFORE] = now
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    by_file: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, seconds in getattr(report, "user_properties", ()):
                if name == SECONDS:
                    by_file[report.nodeid.partition("::")[0]] += seconds
    if by_file:
        terminalreporter.section("processor time")
        for file, seconds in sorted(by_file.items(), key=lambda found: -found[1]):
            terminalreporter.write_line(f"{seconds:8.1f} s  {file}")
        terminalreporter.write_line(f"{sum(by_file.values()):8.1f} s  together, without collection")


_BEFORE = pytest.StashKey[float]()
# As tests name the homes of their installations, in which daemons work.
_HOMES = str(Path(tempfile.gettempdir()) / "touchline-")


def _spent() -> float:
    """Of this process and its descendants, and of daemons with a home of the tests: dead ones through their parents."""
    own = psutil.Process()
    found = {process.pid: process for process in [own, *own.children(recursive=True)]}
    for process in psutil.process_iter():
        try:
            if process.ppid() == 1 and process.cwd().startswith(_HOMES):
                found |= {each.pid: each for each in [process, *process.children(recursive=True)]}
        except psutil.Error:
            continue
    total = 0.0
    for process in found.values():
        try:
            total += sum(process.cpu_times()[:4])
        except psutil.Error:
            continue
    return total
