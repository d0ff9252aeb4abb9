"""Sessions of browsers, which send no key: who signed in with one gets a cookie that reads for it.

A session is `prefix.ends.signature`. The signature is HMAC-SHA-256 over the digest of the key's secret, the prefix and
the end, with the password of the role `access`: nothing is stored, what is stored signs nothing without the password,
and from a session nobody gets to the key. It ends with its key, with its secret's rotation, or by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final

from touchline.accounts.keys import Key

COOKIE: Final = "touchline_session"
VALID_SECONDS: Final = 30 * 24 * 60 * 60
_SESSION: Final = re.compile(r"(tl_[a-z2-7]{8})\.([0-9]{1,12})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class Session:
    """A session as a browser presents it; `ends` are seconds since 1970 by the wall clock."""

    prefix: str
    ends: int
    signature: str

    def is_of(self, key: Key, password: str, now: float) -> bool:
        """Whether it was issued for a secret of this key that is valid at `now`, and has not ended."""

        def signed(known: bytes) -> bool:
            return compare_digest(_sign(password, known, self.prefix, self.ends), self.signature)

        return now < self.ends and key.objection(signed, now) is None


def issue(prefix: str, secret: bytes, password: str, now: float) -> str:
    """A session of a key for the browser that presented the secret of this digest at `now`."""
    ends = int(now) + VALID_SECONDS
    return f"{prefix}.{ends}.{_sign(password, secret, prefix, ends)}"


def read_session(text: str) -> Session | None:
    """The session that a cookie holds; None for anything else."""
    found = _SESSION.fullmatch(text)
    return None if found is None else Session(found[1], int(found[2]), found[3])


def _sign(password: str, secret: bytes, prefix: str, ends: int) -> str:
    return digest(password.encode(), secret + f"{prefix}.{ends}".encode(), sha256).hex()
