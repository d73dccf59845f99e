"""Errors of the store: the file, the disk, and questions that take too long."""

from buttonhook.errors.roots import ButtonhookError


class StoreError(ButtonhookError):
    """The store cannot do what was asked."""


class DatabaseInUse(StoreError):
    def __init__(self, database: str, holder: str) -> None:
        self.database, self.holder = database, holder
        super().__init__(
            f"Database {database!r} is in use by {holder}. Stop that process, or wait for it with --lock-wait SECONDS."
        )


class DatabaseRefused(StoreError):
    def __init__(self, database: str, problem: str, cure: str) -> None:
        self.database, self.problem, self.cure = database, problem, cure
        super().__init__(f"Database {database!r} {problem}. {cure}")


class StorageUnavailable(StoreError):
    """The disk is full or failing. Nothing of the refused write was stored; reads go on."""

    def __init__(self, database: str, reason: str) -> None:
        self.database, self.reason = database, reason
        super().__init__(
            f"Database {database!r} cannot be written: {reason}. Nothing was stored; "
            "free space or mend the disk, then try again."
        )


class StorageLost(StoreError):
    """The disk refused to flush. Whether the last batch is stored cannot be known before the file is read anew."""

    def __init__(self, database: str, reason: str) -> None:
        self.database, self.reason = database, reason
        super().__init__(
            f"Database {database!r} could not be flushed to disk: {reason}. "
            "Buttonhook stops; check the disk and start it again: it goes on from what is stored."
        )


class BatchBeforeLost(StoreError):
    """A batch was decided behind another one that was not written. Only the recorder sees this."""

    def __init__(self) -> None:
        super().__init__("A batch was not written, for the one before it was not. It is decided anew.")


class QueryTooSlow(StoreError):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"The query took longer than {seconds:g} s and was stopped. Filter by an indexed field.")
