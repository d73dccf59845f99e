"""The records of people: users, groups, what they may do, what acts for them, and what they were denied.

Plain values like those in `records`. A password and a token are kept as hashes only, the secret of a source as it is,
for signatures are made of it; none of them leaves the store by any listing, export or change.
"""

from typing import Any, Literal

from msgspec import Struct

from buttonhook.ids import AuditKind, Microseconds


class Constraint(Struct, frozen=True, forbid_unknown_fields=True):
    """Narrows a permission to the objects whose field compares so, by the operators of conditions.

    `path` is dotted; `pk` means the key. The value `$user` stands for the name of the user who asks.
    """

    path: str
    operator: str
    value: Any


class UserRecord(Struct, frozen=True, kw_only=True):
    """A person. The name never changes: the history is told by it. An owner may do everything."""

    id: str
    name: str
    is_owner: bool = False
    is_disabled: bool = False
    groups: tuple[str, ...] = ()
    """Ids of groups."""
    password_hash: str = ""
    """Argon2id in PHC form; empty: no password, so no login."""
    password_changed_at: Microseconds = Microseconds(0)


class GroupRecord(Struct, frozen=True, kw_only=True):
    """Users who are given permissions together."""

    id: str
    name: str


class PermissionRecord(Struct, frozen=True, kw_only=True):
    """What some users and groups may do, on the objects that meet every constraint."""

    id: str
    name: str
    permissions: tuple[str, ...]
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    is_disabled: bool = False


class TokenRecord(Struct, frozen=True, kw_only=True):
    """Acts for a user over the API, within its scopes, until it expires.

    `name` is the public part of the token, by which it is found; `hash` is SHA-256 of the whole.
    """

    id: str
    name: str
    user: str
    hash: str
    created_at: Microseconds
    expires_at: Microseconds | None = None
    scopes: tuple[str, ...] | None = None
    """Permission names that it may use; None: all its user has."""
    description: str = ""


class LoginRecord(Struct, frozen=True, kw_only=True):
    """A login session: somebody who logged in with a browser, until they log out or it expires.

    Its cookie is `id.secret`; `hash` is SHA-256 of the whole. It is over when its user is disabled or gets another
    password, whatever stands here.
    """

    id: str
    name: str
    user: str
    hash: str
    created_at: Microseconds
    seen_at: Microseconds
    """When it was last used, to within ten minutes."""
    expires_at: Microseconds
    address: str = ""


class SourceRecord(Struct, frozen=True, kw_only=True):
    """A system that sends webhooks. Its name never changes: it is part of the address, and the history tells it.

    The secret is kept here, or stands in a file or an environment variable that is named. `acts_as` is the user whose
    permissions limit what it may write; `prefix` goes before its object types. What `echo_users` of that system do is
    done by jobs of ours: it counts as made by a job hook's job.
    """

    id: str
    name: str
    kind: str
    acts_as: str
    prefix: str
    enabled: bool = True
    description: str = ""
    signature_header: str
    algorithm: Literal["sha256", "sha384", "sha512"]
    timestamp_header: str = ""
    window_seconds: int | None = None
    echo_users: tuple[str, ...] = ()
    secret: str = ""
    secret_file: str = ""
    secret_variable: str = ""
    secret_changed_at: Microseconds = Microseconds(0)


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Something that no change tells of: a login, an attempt that was denied, trouble with the storage."""

    time: Microseconds
    kind: AuditKind
    user_name: str
    """Who it was, or said to be."""
    address: str = ""
    what: str
    request_id: str = ""
    id: int = 0


class AuditQuery(Struct, frozen=True, kw_only=True):
    """A question for audit entries, newest first; `after` is the id of the last one seen."""

    kind: AuditKind | None = None
    user_name: str | None = None
    after: int | None = None
    limit: int = 50


PersonRecord = UserRecord | GroupRecord | PermissionRecord | TokenRecord | LoginRecord
"""The records of people that belong to the set-up."""

SECRET_FIELDS = frozenset({"password_hash", "hash", "secret"})
"""Fields of these records that leave the store by no listing, export or change."""


class ReceiptRecord(Struct, frozen=True, kw_only=True):
    """What a request with an idempotency key was answered. `fingerprint` tells another request with the same key."""

    user_name: str
    key: str
    fingerprint: str
    answer: str
    recorded_at: Microseconds
