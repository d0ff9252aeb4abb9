"""Keys of the API: made, rotated and revoked by operators; of their secrets only SHA-256 is kept.

A key is `tl_xxxxxxxx_` and a secret of 256 random bits. The prefix is public and names the key; it stays when the
secret is rotated. A digest without salt or stretching is enough, because nobody can guess 256 random bits.
Instants are UTC by the wall clock: a key expires whatever the run clock says.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from touchline.database.engine import Connection, rows
from touchline.database.queries import query
from touchline.errors import KeyNotUsable, KeyUnknown, nearest

SCOPES = ("read", "profile")
SECRET_BYTES = 32
KEY = re.compile(r"(tl_[a-z2-7]{8})_([A-Za-z0-9_-]{43})")
UNKNOWN = "is not known"
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True)
class NewKey:
    """A key as its owner gets it, once."""

    key: str
    prefix: str
    owner: str
    scopes: Sequence[str]
    expires_at: datetime | None
    old_until: datetime | None = None

    @property
    def summary(self) -> str:
        """What to do with it."""
        until = "never" if self.expires_at is None else f"on {self.expires_at:%Y-%m-%d %H:%M} UTC"
        told = f"Store it now: it is not shown again. It has the scopes {', '.join(self.scopes)} and expires {until}."
        if self.old_until is not None:
            told += f" What the key was before works until {self.old_until:%Y-%m-%d %H:%M} UTC."
        return told


@dataclass(frozen=True)
class KnownKey:
    """What an operator sees of a key: everything but secrets, of which `n_secrets` are valid."""

    prefix: str
    owner: str
    scopes: Sequence[str]
    state: str
    rate_limit: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    n_secrets: int


@dataclass(frozen=True)
class Key:
    """A key as requests are checked against it; `secrets` are digests, each with the end of its validity.

    Ends are seconds since 1970 by the wall clock, infinite for none.
    """

    prefix: str
    scopes: frozenset[str]
    rate_limit: str | None
    expires: float
    is_revoked: bool
    secrets: tuple[tuple[bytes, float], ...]

    def objection_to(self, digest: bytes, now: float) -> str | None:
        """Why the key with the secret of this digest is refused at `now`; None when it is not."""
        return self.objection(lambda known: compare_digest(known, digest), now)

    def objection(self, is_shown: Callable[[bytes], bool], now: float) -> str | None:
        """Why the key is refused at `now`, with the secret whose digest `is_shown`; None when it is not.

        Whether a key was revoked or has expired is told to those alone who have its secret.
        """
        ends = float("-inf")
        # All of them, in constant time each: how long it takes says nothing of the digests.
        for known, end in self.secrets:
            if is_shown(known):
                ends = end
        if ends == float("-inf"):
            return UNKNOWN
        if self.is_revoked:
            return "was revoked"
        if now >= self.expires:
            return "has expired"
        return "was rotated, and this is the old one" if now >= ends else None


def digest_of(secret: str) -> bytes:
    """What is stored of a secret, 32 bytes."""
    return sha256(secret.encode()).digest()


def create(
    connection: Connection,
    owner: str,
    scopes: Iterable[str],
    at: datetime,
    expires_at: datetime | None,
    rate_limit: str | None = None,
) -> NewKey:
    """Make a key for `owner`; needs the rights of `owner` of the database."""
    prefix = "tl_" + "".join(secrets.choice(_LETTERS) for _ in range(8))
    granted = [scope for scope in SCOPES if scope in set(scopes)]
    connection.execute(
        "insert into ops.api_key (prefix, owner, scopes, rate_limit, created_at, expires_at) "
        "values (%s, %s, %s, %s, %s, %s)",
        (prefix, owner, granted, rate_limit, at, expires_at),
    )
    secret = _new_secret(connection, prefix, at)
    _note(connection, "create", prefix, f"for {owner}, scopes {', '.join(granted)}, until {expires_at}")
    return NewKey(f"{prefix}_{secret}", prefix, owner, granted, expires_at)


def rotate(
    connection: Connection, name: str, at: datetime, grace: timedelta, expires_at: datetime | None = None
) -> NewKey:
    """Give a key a new secret; those it had are valid for `grace` more. A new `expires_at` replaces the key's.

    One transaction: until it is committed, the old secret is valid as before. Whoever lost the new one rotates again;
    the old one is then valid for the rest of its first grace.
    Raises KeyUnknown, and KeyNotUsable when the key was revoked or would be expired.
    """
    prefix = check_known(connection, name)
    (key,) = rows(
        connection,
        "select owner, scopes, coalesce(%s, expires_at) as expires_at, revoked_at from ops.api_key "
        "where prefix = %s for update",
        (expires_at, prefix),
    )
    if key["revoked_at"] is not None:
        raise KeyNotUsable(f"{prefix} was revoked at {key['revoked_at']}: create a new key")
    if key["expires_at"] is not None and key["expires_at"] <= at:
        raise KeyNotUsable(f"{prefix} has expired at {key['expires_at']}: rotate it with a new --expires")
    connection.execute(
        "update ops.api_key set expires_at = %s where prefix = %s", (key["expires_at"], prefix)
    )
    connection.execute(
        "update ops.api_key_secret set expires_at = least(expires_at, %s) where prefix = %s",
        (at + grace, prefix),
    )
    secret = _new_secret(connection, prefix, at)
    _note(connection, "rotate", prefix, f"what it was before works until {at + grace}")
    return NewKey(f"{prefix}_{secret}", prefix, key["owner"], key["scopes"], key["expires_at"], at + grace)


def revoke(connection: Connection, name: str, at: datetime) -> str:
    """End a key at once, with all its secrets; gives its prefix. Nothing changes when it is done again.

    Raises KeyUnknown.
    """
    prefix = check_known(connection, name)
    done = connection.execute(
        "update ops.api_key set revoked_at = %s where prefix = %s and revoked_at is null", (at, prefix)
    )
    if done.rowcount:
        _note(connection, "revoke", prefix, "asked for by the operator")
    return prefix


def known_keys(connection: Connection, at: datetime) -> list[KnownKey]:
    """All keys, the newest first, with their state at `at`: valid, expired or revoked."""
    return [KnownKey(**row) for row in rows(connection, query("accounts/sql/known_keys"), {"at": at})]


def prefix_of(name: str) -> str:
    """The prefix in what somebody calls a key by: the prefix itself, or the whole key."""
    found = KEY.fullmatch(name)
    return found.group(1) if found else name.rstrip("_")


def check_known(connection: Connection, name: str) -> str:
    """The prefix of a key that exists. Raises KeyUnknown, with the nearest one."""
    prefix = prefix_of(name)
    known = [row["prefix"] for row in rows(connection, "select prefix from ops.api_key")]
    if prefix not in known:
        meant = nearest(prefix, known)
        hint = f"did you mean {meant}?" if meant else "`touchline keys list` shows all"
        raise KeyUnknown(f"there is no key {prefix}: {hint}")
    return prefix


def _new_secret(connection: Connection, prefix: str, at: datetime) -> str:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    connection.execute(
        "insert into ops.api_key_secret (secret_hash, prefix, created_at) values (%s, %s, %s)",
        (digest_of(secret), prefix, at),
    )
    return secret


def _note(connection: Connection, action: str, prefix: str, reason: str) -> None:
    connection.execute(
        "insert into ops.audit_log (action, object, reason) values (%s, %s, %s)",
        (f"{action} key", f"ops.api_key {prefix}", reason),
    )
