"""What commands use of Buttonhook: one user's way in, to the database itself or to the daemon that has it.

Both ways give the same records and raise the same errors, so each command and its output are written once.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from buttonhook import documents
from buttonhook.administration import Administration
from buttonhook.buttons import ButtonGroup
from buttonhook.configuration import Configuration
from buttonhook.errors import ObjectNotFound, PermissionDenied
from buttonhook.explain import Explanation, Trial
from buttonhook.ids import JobResultStatus, ObjectKey
from buttonhook.imports.reports import ImportOptions, ImportSummary, Progress, Report
from buttonhook.imports.sources import Source
from buttonhook.objects.keys import object_permission
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.objects.types import ObjectType, Reading
from buttonhook.old_data import Upgraded
from buttonhook.plugins import PluginReport
from buttonhook.receivers.user import User
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    Job,
    JobLogEntry,
    JobResult,
    ObjectQuery,
    ResultQuery,
    StoredObject,
)
from buttonhook.registry import Registry
from buttonhook.sources import Sources
from buttonhook.stores.base import Referrer

NOTHING: Final[frozenset[str]] = frozenset()
TYPES: Final = frozenset({"types"})
JOBS: Final = frozenset({"jobs"})
HOOKS: Final = frozenset({"jobs", "hooks"})
BUTTONS: Final = frozenset({"jobs", "buttons"})
SOURCES: Final = frozenset({"sources"})
PEOPLE: Final = frozenset({"people"})
"""What a command looks up in `registry`, `configuration` and `administration`: a daemon is asked for that alone."""


class Runs(Protocol):
    """Starts and stops runs."""

    async def press(self, button: str, object_type: str, pks: Iterable[str]) -> tuple[JobResult, ...]: ...

    async def shown_buttons(self, object_type: str, pk: str) -> list[ButtonGroup]: ...

    async def rerun(self, result_id: str) -> JobResult: ...

    async def cancel(self, result_id: str) -> JobResult: ...


class StoredPage(Struct, frozen=True):
    """One page of a query, and the keyset behind which the next one begins (None at the end)."""

    objects: list[StoredObject]
    after: tuple[Any, ...] | None


class JobOptions(Struct, frozen=True):
    """How an installed job runs: the options of its class, whether it is hidden, whether it runs on the loop."""

    meta: dict[str, Any]
    is_hidden: bool
    is_async: bool


class Left(Struct, frozen=True):
    """What a command leaves: runs that wait or run still, as far as its user may see them."""

    parked: dict[str, int] = {}
    """Results that wait for a job that is not installed, by job."""
    retries: tuple[int, ...] = ()
    """When each result is due that will be tried again."""
    waiting: int = 0
    running: int = 0
    is_capped: bool = False
    """Whether more wait than were counted."""


class Caused(ABC):
    """The runs that a command caused: waited for, counted, and told to the user as far as they may see them."""

    goes_on: bool
    """Whether what is left goes on when the command has ended."""

    @abstractmethod
    async def wait(self, seconds: float) -> bool:
        """Wait for them at most so long; whether all are done."""

    @abstractmethod
    async def take_unfinished(self) -> None:
        """Let all that waits or runs be among them."""

    @abstractmethod
    def figures(self) -> str:
        """How far they are, in a few words; empty where that may not be told."""

    @property
    @abstractmethod
    def done(self) -> int | None:
        """How many are done so far, None where that may not be told."""

    @property
    @abstractmethod
    def has_failures(self) -> bool:
        """Whether one failed or was given up; where the command runs them itself also one that may not be seen."""

    @abstractmethod
    async def counts(self) -> Counter[JobResultStatus]:
        """How many ended how."""

    @abstractmethod
    async def ended(self) -> list[JobResult]:
        """Those that ended, in order of number: the first 10,000."""

    @abstractmethod
    async def failures(self, told: set[int], most: int) -> tuple[list[JobResult], int]:
        """The first that failed, but those `told`, and how many there are."""

    @abstractmethod
    async def left(self) -> Left:
        """What is not done."""

    @abstractmethod
    async def has_failed_below(self, roots: set[str]) -> bool:
        """Whether a run failed that stands in a chain of causes that begins with one of these results."""

    @abstractmethod
    async def recovered(self) -> tuple[list[JobResult], list[JobResult]]:
        """What was taken up of a process that ended, and what was given up."""


class UserApp(ABC):
    """What one user may see and do, each call asked for."""

    user: User
    registry: Registry
    configuration: Configuration
    administration: Administration
    sources: Sources
    runs: Runs
    caused: Caused
    broken_plugins: Sequence[str]
    """The names of those that have errors, as far as the user may see them."""

    def require_any(self, what: str, permission: str) -> None:
        """Have who may see nothing of a list told so, not shown an empty one.

        Raises:
            PermissionDenied: the permission is held for nothing.
        """
        if not self.user.has_perm(permission):
            raise PermissionDenied(self.user.username, f"see {what}", permission)

    # --- objects ----------------------------------------------------------------------------------

    @abstractmethod
    async def page(self, query: ObjectQuery, size: int) -> StoredPage:
        """Stored objects that fit and may be seen, at most `size` of them."""

    @abstractmethod
    async def count_objects(self, query: ObjectQuery) -> int:
        """How many of those there are."""

    @abstractmethod
    async def find_object(self, object_type: str, pk: str) -> StoredObject | None:
        """The stored object, or None where there is none for this user."""

    async def get_object(self, object_type: str, pk: str) -> StoredObject:
        """Raises: ObjectNotFound."""
        stored = await self.find_object(object_type, pk)
        if stored is None:
            raise ObjectNotFound(object_type, repr(pk))
        return stored

    def read(self, stored: StoredObject, type_: ObjectType | None = None) -> Reading:
        """An object as its type reads it now: mended by a plugin, or with what the type no longer accepts."""
        type_ = type_ or self.registry.get_type(stored.object_type)
        return type_.read(documents.decode(stored.document))

    def may_see_type(self, object_type: str) -> bool:
        """Whether some objects of a type may be seen, should there be any."""
        return self.user.has_perm(object_permission(object_type, "view"))

    def may_see(self, what: StoredObject | ChangeRecord) -> bool:
        """Whether an object, or every state of it that a change holds, may be seen."""
        return self.user.has_perm(object_permission(what.object_type, "view"), what)

    @abstractmethod
    async def commit(self, *writes: Write) -> TransactionAnswer:
        """Commit object writes together, if the user may make them all."""

    @abstractmethod
    async def referrers(self, key: ObjectKey, after: Referrer | None, limit: int) -> list[Referrer]:
        """Who refers to an object: (object type, pk, field), in order, those behind `after`."""

    @abstractmethod
    async def import_source(
        self, source: Source, options: ImportOptions, report: Report, progress: Progress
    ) -> ImportSummary:
        """Import a file; each transaction is reported after its commit."""

    @abstractmethod
    def upgrade(self, type_: ObjectType, *, is_dry: bool) -> AsyncGenerator[Upgraded, None]:
        """Save for good what plugins mend whenever they read it."""

    # --- what is recorded -------------------------------------------------------------------------

    async def in_full(self, changes: Sequence[ChangeRecord]) -> list[ChangeRecord]:
        """Changes that a commit answered, with all that is recorded of them."""
        return list(changes)

    @abstractmethod
    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        """Changes that fit and may be seen."""

    @abstractmethod
    async def results(self, query: ResultQuery) -> list[JobResult]:
        """Job results that fit and may be seen."""

    @abstractmethod
    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]:
        """Log entries of one job result, in order."""

    @property
    @abstractmethod
    def is_live(self) -> bool:
        """Whether what happens can be followed: somebody else works while the command looks."""

    @abstractmethod
    def follow_log(self, result: JobResult) -> AsyncIterator[JobLogEntry]:
        """The log of a job result from its beginning, as it comes, until the run has ended."""

    @abstractmethod
    def follow_changes(self, query: ChangeQuery) -> AsyncIterator[ChangeRecord]:
        """Changes that fit, behind `query.after`, as they are made."""

    @abstractmethod
    async def explain(self, change_id: int) -> Explanation:
        """Why each job hook did or did not fire on a change."""

    @abstractmethod
    async def try_out(self, hook: str | None, given: dict[str, Any], change_id: int) -> Trial:
        """What a job hook would say to a past change: a saved one with these fields replaced, or one made of them."""

    # --- what is installed ------------------------------------------------------------------------

    @abstractmethod
    def options(self, job: Job) -> JobOptions | None:
        """How a job runs, None where it is not installed."""

    @abstractmethod
    async def plugins(self) -> list[PluginReport]:
        """The installed plugins: what each brings, what is wrong with it."""

    @abstractmethod
    async def check(self) -> tuple[list[str], list[str], dict[str, int]]:
        """Look the whole database over: problems, warnings, figures. Who is no owner is told how many problems."""
