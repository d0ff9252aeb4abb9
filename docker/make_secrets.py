"""Make the secrets of compose that are not there yet, in docker/secrets: `make secrets`. What is there stays as it is.

Containers run as other users than the one who starts them, and compose hands files through as they are. So the files
may be read by everybody who can enter the folder, which its owner alone can.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).with_name("secrets")
# A certificate of one's own making: browsers warn of it. Replace both files by those of an authority.
CERTIFICATE, KEY = "proxy_certificate", "proxy_key"
NAMES = "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1"
DAYS = "825"


def main() -> None:
    """Write what is missing, and say what."""
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    FOLDER.chmod(0o700)
    made = [name for name, content in SECRETS.items() if _is_written(name, content)]
    if not ((FOLDER / CERTIFICATE).exists() and (FOLDER / KEY).exists()):
        _certify()
        made += [CERTIFICATE, KEY]
    print(f"made in {FOLDER}: {', '.join(made)}" if made else f"all secrets are there already, in {FOLDER}")


def password(name: str) -> str:
    """The one in the file of that name, made if there is none."""
    _is_written(name, lambda: secrets.token_urlsafe(32))
    return (FOLDER / name).read_text().strip()


SECRETS: dict[str, Callable[[], str]] = {
    "postgres": lambda: secrets.token_urlsafe(32),
    "redis": lambda: secrets.token_urlsafe(32),
    "grafana": lambda: secrets.token_urlsafe(32),
    "objects": lambda: secrets.token_urlsafe(32),
    # What the programs read that need more than a password.
    "database_url": lambda: f"postgresql://postgres:{password('postgres')}@postgres:5432/postgres",
    "celery_broker": lambda: f"redis://:{password('redis')}@redis:6379/0",
    "access_redis": lambda: f"redis://:{password('redis')}@redis:6379/1",
    # What it has taken is on disk within a second, so that it comes back with its queues.
    "redis_conf": lambda: f"requirepass {password('redis')}\nappendonly yes\ndir /data\n",
    "object_credentials": lambda: (
        f"[default]\naws_access_key_id = touchline\naws_secret_access_key = {password('objects')}\n"
    ),
}


def _is_written(name: str, content: Callable[[], str]) -> bool:
    path = FOLDER / name
    if path.exists():
        return False
    path.write_text(content())
    path.chmod(0o644)
    return True


def _certify() -> None:
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS, "-subj", "/CN=localhost",
        "-addext", NAMES, "-keyout", str(FOLDER / KEY), "-out", str(FOLDER / CERTIFICATE),
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        sys.exit(
            f"there is no openssl on this machine: install it, or put {CERTIFICATE} and {KEY} into {FOLDER}"
        )
    (FOLDER / KEY).chmod(0o644)


if __name__ == "__main__":
    main()
