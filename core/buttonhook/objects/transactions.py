"""What is committed together: the request a session sends and the answer it gets."""

from typing import Protocol

from msgspec import Struct

from buttonhook.ids import ObjectKey
from buttonhook.objects.session import Write
from buttonhook.records import ChangeRecord, Origin, StoredObject


class Authority(Protocol):
    """Who is asked whether a change may be made."""

    @property
    def username(self) -> str: ...

    def has_perm(self, perm: str, obj: object = None) -> bool: ...


class TransactionRequest(Struct, frozen=True, kw_only=True):
    """Writes that are committed together or not at all, in the order given.

    With `once`, a request id that was recorded before refuses the whole (`AlreadyRecorded`), also one that changed
    nothing; with a `once_key` that key is looked up and recorded in the place of the request id. `run` is the job
    result's number and attempt, for writes made by a job. With an `authority` every change is asked of it, by the state
    before and the state after: one that is not allowed refuses the whole.
    """

    origin: Origin
    writes: tuple[Write, ...]
    once: bool = False
    once_key: str = ""
    run: tuple[int, int] | None = None
    authority: Authority | None = None

    @property
    def seen_as(self) -> str:
        """What `once` counts."""
        return self.once_key or self.origin.request_id


class TransactionAnswer(Struct, frozen=True):
    """What was recorded: the changes in the order of their ids, and each written object as it is now (None: gone)."""

    changes: tuple[ChangeRecord, ...]
    objects: dict[ObjectKey, StoredObject | None]


class Gateway(Protocol):
    """The way into the recorder."""

    async def commit(self, request: TransactionRequest) -> TransactionAnswer:
        """Commit one transaction; durable on return.

        Transactions are committed in the order of the calls. Cancelling the wait does not cancel the commit.

        Raises:
            ObjectError: the transaction breaks a rule; none of it was written.
            AlreadyRecorded: its request id is known, with `once`.
            StorageUnavailable: the disk is full or failing.
        """
        ...
