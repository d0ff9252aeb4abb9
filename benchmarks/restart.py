"""How soon the API answers again after PostgreSQL crashed, stayed away and came back, while clients ask all the time.

`RESTART_SECONDS_AWAY` is how long it stays away, 4 if not given. The promise is all answers again within 5 s.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from typing import Final

import httpx
from rich.console import Console

from benchmarks.api import ADDRESS, AS_OF, serving
from benchmarks.own_server import Unsupervised, own_server, unsupervised

N_CLIENTS: Final = 50
SECONDS_AWAY: Final = float(os.environ.get("RESTART_SECONDS_AWAY", "4"))
# An empty warehouse answers it, with one query a request.
PATH: Final = "/v1/sources"

# When an answer came, how long it took, and its status; times in seconds.
Answer = tuple[float, float, int]


async def crash(server: Unsupervised) -> tuple[list[Answer], float, float]:
    """Every answer, and when the server crashed and was back."""
    answers: list[Answer] = []
    is_over = False

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        while not is_over:
            started = time.monotonic()
            # Of its own: what is kept for all would hide the database.
            reply = await client.get(PATH, params={"limit": number + 1})
            answers.append((time.monotonic(), time.monotonic() - started, reply.status_code))

    async with httpx.AsyncClient(base_url=ADDRESS, timeout=60) as client, asyncio.TaskGroup() as group:
        for number in range(N_CLIENTS):
            group.create_task(ask(client, number))
        await asyncio.sleep(3)
        gone = time.monotonic()
        await asyncio.to_thread(server.crash)
        await asyncio.sleep(SECONDS_AWAY)
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        await asyncio.sleep(10)
        is_over = True
    return answers, gone, back


def main() -> None:
    """Crash it once, and print what clients saw."""
    with own_server(as_of=AS_OF) as settings, unsupervised(settings) as server, serving(server.settings):
        answers, gone, back = asyncio.run(crash(server))
    failed = [at for at, _, status in answers if status != 200]
    away = [(seconds, status) for at, seconds, status in answers if gone <= at <= back]
    again = min(at for at, _, status in answers if status == 200 and at >= back) - back
    told = ", ".join(
        f"{n:,} times {status}" for status, n in sorted(Counter(status for _, status in away).items())
    )
    Console().print(
        f"PostgreSQL away for {back - gone:.1f} s with {N_CLIENTS} clients: {told}, the slowest after "
        f"{max(seconds for seconds, _ in away):.2f} s. Back: first answer after {again:.2f} s, "
        f"all answers from {max(0.0, max(failed, default=back) - back):.2f} s on."
    )


if __name__ == "__main__":
    main()
