"""Sources: the systems that send webhooks, their secrets, and whom each acts as."""

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from buttonhook.editing import Editing, Editor, one_at_a_time
from buttonhook.errors import BeyondToken, PermissionDenied, RecordConflict, RecordNotFound
from buttonhook.ids import new_uuid7, now
from buttonhook.objects.keys import RESERVED_APPS
from buttonhook.people import SourceRecord, UserRecord
from buttonhook.permissions import require
from buttonhook.receivers.user import User
from buttonhook.records import Origin
from buttonhook.registry import Registry
from buttonhook.source_secrets import SourceSecrets, new_secret
from buttonhook.webhooks import HEADER_NAME, Algorithm, WebhookReader

LISTING: Final = "buttonhook sources list"
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,49}\Z")
_PREFIX: Final = re.compile(r"(?:[a-z][a-z0-9_]{0,49})?\Z")
_OWN_HEADERS: Final = frozenset({"authorization", "content-type", "content-length", "cookie", "host"})


class SourceDraft(Struct, frozen=True, kw_only=True):
    """A source as somebody wants it; what is UNSET follows its kind, its name or who asks, or stays as it is.

    `secret_file` and `secret_variable` say where the secret stands; with neither one is made and kept.
    """

    kind: str | UnsetType = UNSET
    acts_as: str | UnsetType = UNSET
    prefix: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET
    signature_header: str | UnsetType = UNSET
    algorithm: Algorithm | UnsetType = UNSET
    timestamp_header: str | UnsetType = UNSET
    window_seconds: int | UnsetType | None = UNSET
    echo_users: tuple[str, ...] | UnsetType = UNSET
    secret_file: str | UnsetType = UNSET
    secret_variable: str | UnsetType = UNSET

    def given(self) -> dict[str, Any]:
        """The fields that were said."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in fields.items() if value is not UNSET}


class Sources(Editing):
    """Reads and edits sources."""

    def __init__(
        self,
        registry: Registry,
        editor: Editor,
        secrets: SourceSecrets,
        author: Origin | None = None,
        user: User | None = None,
    ) -> None:
        super().__init__(registry, editor, author, user)
        self._secrets = secrets

    def all(self) -> list[SourceRecord]:
        """All sources, by name."""
        return self._visible("see a source", self._registry.all(SourceRecord))

    def get(self, name: str) -> SourceRecord:
        """Raises: RecordNotFound."""
        return self._get("see a source", SourceRecord, name, "source", LISTING)

    @one_at_a_time
    async def add(self, name: str, draft: SourceDraft | None = None) -> tuple[SourceRecord, str | None]:
        """Add a source; the second part is the secret that was made for it, which is told nowhere else, never again.

        Raises:
            RecordConflict, RecordNotFound, PermissionDenied: nothing was added.
        """
        what = f"add source {name!r}"
        self._require("add a source", what)
        given = {} if draft is None else draft.given()
        if not _NAME.match(name):
            cure = "Use small letters, digits, '-' and '_', as in nautobot."
            raise RecordConflict("source", name, "has an unfit name", cure)
        self._check_free(SourceRecord, name, "source")
        reader = self._reader(name, given.setdefault("kind", name))
        defaults = {
            "acts_as": self._self(),
            "prefix": name.replace("-", "_"),
            "signature_header": reader.signature_header,
            "algorithm": reader.algorithm,
            "timestamp_header": reader.timestamp_header,
        }
        made = None if given.get("secret_file") or given.get("secret_variable") else new_secret()
        source = SourceRecord(
            id=new_uuid7(), name=name, secret=made or "", secret_changed_at=now(), **{**defaults, **given}
        )
        self._check(source, what, given)
        self._require("add a source", what, source)
        await self._edit([source])
        return source, made

    @one_at_a_time
    async def edit(
        self, name: str, draft: SourceDraft, *, renews_secret: bool = False
    ) -> tuple[SourceRecord, str | None]:
        """Change a source; with `renews_secret` another secret is made, the second part, and the one before is over.

        Raises:
            RecordConflict, RecordNotFound, PermissionDenied: nothing was changed.
        """
        before = self.get(name)
        what = f"edit source {name!r}"
        self._require("edit a source", what, before)
        given = draft.given()
        moved: dict[str, Any] = {key: given[key] for key in ("secret_file", "secret_variable") if key in given}
        if renews_secret and any(moved.values()):
            raise RecordConflict("source", name, "cannot have a new secret and one from elsewhere", "Choose one.")
        if renews_secret or any(moved.values()):
            given = {**given, "secret": "", "secret_file": "", "secret_variable": "", **moved}
            given["secret_changed_at"] = now()
        made = new_secret() if renews_secret else None
        if made is not None:
            given["secret"] = made
        if "kind" in given and given["kind"] != before.kind:
            self._reader(name, given["kind"])
        source = msgspec.structs.replace(before, **given)
        if given != {"enabled": False}:
            self._check(source, what, given)
        self._require("edit a source", what, source)
        await self._edit([source])
        return source, made

    @one_at_a_time
    async def remove(self, name: str) -> SourceRecord:
        """Remove a source; what it brought stays."""
        source = self.get(name)
        self._require("remove a source", f"remove source {name!r}", source)
        await self._edit(removed=[(SourceRecord, source.id)])
        return source

    def know_secrets(self) -> list[str]:
        """Have the secrets redacted from now on; returns what is wrong with them, in sentences."""
        problems = []
        for source in self._registry.all(SourceRecord):
            try:
                self._reader(source.name, source.kind)
                self._secrets.get(source)
            except RecordConflict as exc:
                problems.append(str(exc))
        return problems

    # --- what a source may be ---------------------------------------------------------------------

    def _self(self) -> str:
        if self._user is not None:
            return self._user.username
        return "" if self._author is None else self._author.user_name

    def _reader(self, name: str, kind: str) -> WebhookReader:
        reader = self._registry.webhook_readers.get(kind)
        if reader is None:
            known = ", ".join(sorted(self._registry.webhook_readers))
            raise RecordConflict("source", name, f"has the kind {kind!r}, which is not known", f"Known: {known}.")
        return reader

    def _check(self, source: SourceRecord, what: str, given: dict[str, Any]) -> None:
        """Refuse what cannot be, or what would let somebody do more than they may."""
        self._check_reach(source, what)
        self._check_prefix(source)
        _check_signing(source)
        _check_texts(source)
        is_elsewhere = given.get("secret_file") or given.get("secret_variable")
        if is_elsewhere and self._user is not None and not self._user.is_owner:
            # Else whoever may add sources could ask about the files and variables of this machine.
            raise PermissionDenied(self._user.username, f"{what} with its secret in a file or variable", "")
        if source.secret_file and source.secret_variable:
            raise RecordConflict("source", source.name, "has its secret in a file and in a variable", "Choose one.")
        if not (source.secret or source.secret_file or source.secret_variable):
            raise RecordConflict(
                "source", source.name, "has no secret", "Make one: buttonhook sources edit --new-secret"
            )
        self._secrets.get(source)

    def _check_reach(self, source: SourceRecord, what: str) -> None:
        """Who has the secret of a source writes as the user whom it acts as: the rules are those of tokens."""
        user = self._user
        record = self._registry.find(UserRecord, source.acts_as)
        if user is not None and user.is_scoped:
            raise BeyondToken(user.username, what)
        if user is not None and user.username != source.acts_as:
            require(user, "make a token for somebody else", f"{what} that acts as {source.acts_as!r}", record)
            if record is not None and record.is_owner and not user.is_owner:
                raise PermissionDenied(user.username, f"{what} that acts as the owner {source.acts_as!r}", "")
        if record is None:
            names = [each.name for each in self._registry.all(UserRecord)] if user is None or user.is_owner else ()
            raise RecordNotFound("user", source.acts_as, names, "buttonhook users list")

    def _check_prefix(self, source: SourceRecord) -> None:
        if not _PREFIX.match(source.prefix):
            cure = "Use small letters, digits and '_', as in nautobot."
            raise RecordConflict("source", source.name, f"has an unfit prefix {source.prefix!r}", cure)
        if source.prefix in RESERVED_APPS:
            raise RecordConflict("source", source.name, f"cannot have the prefix {source.prefix!r}", "It is our own.")
        for other in self._registry.all(SourceRecord):
            if source.prefix and other.prefix == source.prefix and other.id != source.id:
                named = repr(other.name) if self._visible("see a source", [other]) else "one that you may not see"
                problem = f"has the prefix {source.prefix!r} of the source {named}, so their objects would be one"
                raise RecordConflict("source", source.name, problem, "Give it another with prefix.")


def _check_signing(source: SourceRecord) -> None:
    named = [("signature_header", source.signature_header)]
    if source.timestamp_header:
        named.append(("timestamp_header", source.timestamp_header))
    for field, header in named:
        if not HEADER_NAME.match(header) or header.lower() in _OWN_HEADERS:
            raise RecordConflict("source", source.name, f"cannot have the {field} {header!r}", "Name another header.")
    if source.signature_header.lower() == source.timestamp_header.lower():
        raise RecordConflict("source", source.name, "has its signature and its time in one header", "Name two.")
    if source.window_seconds is not None and not 1 <= source.window_seconds <= 31_536_000:
        problem = f"cannot have a window of {source.window_seconds} s"
        raise RecordConflict("source", source.name, problem, "Give 1 to 31536000 seconds, or none.")


def _check_texts(source: SourceRecord) -> None:
    if len(source.description) > 1000 or not source.description.isprintable():
        raise RecordConflict("source", source.name, "has an unfit description", "Use at most 1000 characters.")
    for name in source.echo_users:
        if not name or len(name) > 255 or not name.isprintable():
            raise RecordConflict("source", source.name, f"cannot have the echo user {name[:40]!r}", "Name a user.")
