"""Passwords and tokens: made, hashed, compared. Nothing here is stored or looked up.

Passwords are hashed with Argon2id, by the parameters that argon2-cffi chooses (RFC 9106, low-memory). Tokens hold 256
random bits, so one SHA-256 of them is enough: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from functools import cache
from typing import Final

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from buttonhook.errors import RecordConflict

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 1000
TOKEN_PREFIX: Final = "bh_"  # noqa: S105 - how every token begins
_PUBLIC_BYTES: Final = 5

HASHING_AT_ONCE: Final = 2
"""A hash takes 64 MiB and all cores by design: who sends many passwords must not get many of them at work."""

_hasher = PasswordHasher()
_places: RunVar[anyio.CapacityLimiter] = RunVar("_places")


def check_password(user_name: str, password: str) -> None:
    """Refuse a password that is too easy to guess, or too long to hash.

    Raises:
        RecordConflict: saying what is wrong; the message does not hold the password.
    """
    problem = None
    if len(password) < MIN_PASSWORD:
        problem = f"cannot have a password of {len(password)} characters"
    elif len(password) > MAX_PASSWORD:
        problem = f"cannot have a password of more than {MAX_PASSWORD} characters"
    elif user_name.lower() in password.lower() and len(password) < 2 * MIN_PASSWORD:
        problem = "cannot have a password that holds the user's name"
    elif len(set(password)) < 5:
        problem = "cannot have a password of so few different characters"
    if problem is not None:
        raise RecordConflict("user", user_name, problem, f"Choose one of {MIN_PASSWORD} characters or more.")


async def hash_password(password: str) -> str:
    """The Argon2id hash in PHC form, made in a thread: it takes tens of milliseconds by design."""
    return await anyio.to_thread.run_sync(_hasher.hash, _bytes(password), limiter=_limiter())


async def verify_password(password: str, stored: str) -> bool:
    """Whether a password fits a stored hash; an empty one fits nothing, in the same time."""
    return await anyio.to_thread.run_sync(_verify, _bytes(password[: MAX_PASSWORD + 1]), stored, limiter=_limiter())


async def make_ready() -> None:
    """Do what the first comparison would have to do besides, once in a process."""
    await anyio.to_thread.run_sync(_nobodys_hash, limiter=_limiter())


def _limiter() -> anyio.CapacityLimiter:
    """The places for hashing of the running loop."""
    try:
        return _places.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(HASHING_AT_ONCE)
        _places.set(limiter)
        return limiter


def _bytes(text: str) -> bytes:
    """Whatever somebody sends has bytes, lone surrogates too: it fits nothing, and that is no error."""
    return text.encode("utf-8", "surrogatepass")


def _verify(password: bytes, stored: str) -> bool:
    try:
        _hasher.verify(stored or _nobodys_hash(), password)
        return bool(stored)
    except (Argon2Error, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    """Compared with where there is no user, so that the time of an answer does not tell who exists."""
    return _hasher.hash(secrets.token_hex())


def new_token() -> tuple[str, str]:
    """A token and its public part, as in `bh_3f09c1d2aa_...` and `bh_3f09c1d2aa`."""
    public = f"{TOKEN_PREFIX}{secrets.token_hex(_PUBLIC_BYTES)}"
    return f"{public}_{secrets.token_urlsafe(32)}", public


def public_part(token: str) -> str:
    """The part of a token by which its record is found."""
    return "_".join(token.split("_", 2)[:2])


def hash_token(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(_bytes(token)).hexdigest()


def is_token(token: str, stored: str) -> bool:
    """Whether a token is the one of a stored hash, compared in constant time."""
    return hmac.compare_digest(hash_token(token), stored)
