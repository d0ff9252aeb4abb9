"""`python -m touchline.sandbox`: serve the simulated world until told to stop."""

from __future__ import annotations

import argparse
from pathlib import Path

from touchline.sandbox.faults import read_option
from touchline.sandbox.server import SandboxServer


def main() -> None:
    """Read the address, seed, home and faults from the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True, help="folder that keeps the clock")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[:RATE]", help="may be repeated")
    options = parser.parse_args()
    with SandboxServer(options.host, options.port, options.seed, options.home) as server:
        try:
            for text in options.fault:
                server.faults.switch(*read_option(text))
        except ValueError as error:
            parser.error(str(error))
        server.serve_forever()


if __name__ == "__main__":
    main()
