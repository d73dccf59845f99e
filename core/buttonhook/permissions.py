"""Who may do what: the user made from the records of people, and the table of what each act asks for.

Every path asks this one table: page, API, command line, bulk, rerun, and the dispatcher again when a run starts. The
documentation's table is made from it.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook.errors import PermissionDenied
from buttonhook.grants import is_given
from buttonhook.ids import Microseconds
from buttonhook.objects.keys import object_permission
from buttonhook.people import Constraint, PermissionRecord, UserRecord
from buttonhook.receivers.user import User
from buttonhook.records import ChangeQuery, JobButton, JobHook, JobResult, StoredObject
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader

VIEW: Final = "view"
"""Stands for `app.view_model` of the object that a need is about."""


class Need(Struct, frozen=True):
    """One permission that an act asks for, and what it must be held on."""

    permission: str
    about: str
    or_own: bool = False
    """Not asked of who pressed the button whose run this is."""


RIGHTS: Final[Mapping[str, tuple[Need, ...]]] = {
    "press a job button": (Need("jobs.run_job", "the job"), Need(VIEW, "each object")),
    "fire a job hook as its author": (Need("jobs.run_job", "the job"),),
    "rerun a job result": (
        Need("jobs.view_jobresult", "the result", or_own=True),
        Need("jobs.run_job", "the job"),
        Need(VIEW, "each object"),
    ),
    "cancel a job result": (Need("jobs.cancel_jobresult", "the result", or_own=True), Need(VIEW, "each object")),
    "see a change": (Need("jobs.view_objectchange", "the change"), Need(VIEW, "the object, before and after")),
    "see a job result": (Need("jobs.view_jobresult", "the result", or_own=True), Need(VIEW, "each object")),
    "see a job log": (
        Need("jobs.view_jobresult", "the result", or_own=True),
        Need("jobs.view_joblogentry", "the result", or_own=True),
        Need(VIEW, "each object"),
    ),
    "see an object": (Need(VIEW, "each object"),),
    "make a change in another user's name": (Need("users.add_token", "the user"),),
    "say which run caused a change": (Need("jobs.add_objectchange", "the result"),),
    "see plugins": (Need("jobs.view_plugin", "the plugin"),),
    "see a job": (Need("jobs.view_job", "the job"),),
    "enable, disable or edit a job": (Need("jobs.change_job", "the job, before and after"),),
    "see a job hook": (Need("jobs.view_jobhook", "the job hook"),),
    "add a job hook": (Need("jobs.add_jobhook", "the job hook"),),
    "edit a job hook": (Need("jobs.change_jobhook", "the job hook, before and after"),),
    "remove a job hook": (Need("jobs.delete_jobhook", "the job hook"),),
    "see a job button": (Need("jobs.view_jobbutton", "the job button"),),
    "add a job button": (Need("jobs.add_jobbutton", "the job button"),),
    "edit a job button": (Need("jobs.change_jobbutton", "the job button, before and after"),),
    "remove a job button": (Need("jobs.delete_jobbutton", "the job button"),),
    "see a source": (Need("jobs.view_source", "the source"),),
    "add a source": (Need("jobs.add_source", "the source"),),
    "edit a source": (Need("jobs.change_source", "the source, before and after"),),
    "remove a source": (Need("jobs.delete_source", "the source"),),
    "declare an object type": (Need("jobs.add_objecttype", "the type"),),
    "see users": (Need("users.view_user", "the user"),),
    "add a user": (Need("users.add_user", "the user"),),
    "edit a user, or set a password for them": (Need("users.change_user", "the user, before and after"),),
    "see groups": (Need("users.view_group", "the group"),),
    "add a group": (Need("users.add_group", "the group"),),
    "remove a group": (Need("users.delete_group", "the group"),),
    "see permissions": (Need("users.view_permission", "the permission"),),
    "grant a permission": (Need("users.add_permission", "the permission"),),
    "revoke a permission": (Need("users.delete_permission", "each permission"),),
    "see others' tokens": (Need("users.view_token", "the token"),),
    "make a token for somebody else": (Need("users.add_token", "the user"),),
    "see the audit log": (Need("users.view_auditentry", "the entry"),),
    "see metrics": (Need("jobs.view_metric", "all of them"),),
    "see settings": (Need("jobs.view_setting", "all of them"),),
    "remove somebody else's token": (Need("users.delete_token", "the token"),),
}
"""By act: all of its needs must be met. Writing an object asks `app.add_model`, `change_model` or `delete_model`."""


def missing(user: User, act: str, *subjects: Any) -> Need | None:
    """The first need of an act that a user does not meet; `subjects` are what the needs are about, in their order.

    A subject that is None is one that is gone, or any: then the permission must be held for some object.
    """
    needs = RIGHTS[act]
    for place, need in enumerate(needs):
        subject = subjects[place] if place < len(subjects) else None
        if need.or_own and isinstance(subject, JobResult) and _is_own(user, subject, need.permission):
            continue
        for each in subject if isinstance(subject, tuple) else (subject,):
            if not user.has_perm(permission_of(need, each), _known(each)):
                return need
    return None


def require(user: User, act: str, what: str, *subjects: Any) -> None:
    """Raises: PermissionDenied: a need of the act is not met; `what` says the act with its names."""
    refused = _refused(user, act, *subjects)
    if refused is not None:
        raise PermissionDenied(user.username, what, refused, is_narrowed=user.has_perm(refused))


def _refused(user: User, act: str, *subjects: Any) -> str | None:
    """The name of the first permission that an act asks for and a user has not, for these subjects."""
    need = missing(user, act, *subjects)
    if need is None:
        return None
    place = RIGHTS[act].index(need)
    subject = subjects[place] if place < len(subjects) else None
    return permission_of(need, subject[0] if isinstance(subject, tuple) else subject)


def permission_of(need: Need, subject: Any) -> str:
    """The name of a needed permission; that of viewing is made from the subject's type."""
    if need.permission != VIEW:
        return need.permission
    return object_permission(subject if isinstance(subject, str) else subject.object_type, VIEW)


def _known(subject: Any) -> Any:
    """A subject of which only the type is known is asked for as any object of that type."""
    return None if isinstance(subject, str) else subject


def _is_own(user: User, result: JobResult, permission: str) -> bool:
    """Whether it is their own press; a token reaches their own presses only as far as its scopes."""
    is_theirs = user.known and result.kind == "button" and result.user_name == user.username
    return is_theirs and user.in_scope(permission)


def user_of(registry: Registry, name: str) -> User:
    """A snapshot of a user; one without a record is not known and may do nothing, nor may a disabled one."""
    user = registry.derived.get(("user", name))
    if isinstance(user, User):
        return user
    record = registry.find(UserRecord, name)
    if record is None:
        return User(name)
    user = User(name, known=True) if record.is_disabled else _enabled(registry, record)
    registry.derived["user", name] = user
    return user


def _enabled(registry: Registry, record: UserRecord) -> User:
    grants: dict[str, list[tuple[Constraint, ...]]] = {}
    for each in registry.all(PermissionRecord):
        if not each.is_disabled and is_given(each, record):
            for permission in each.permissions:
                grants.setdefault(permission, []).append(each.constraints)
    return User(record.name, known=True, is_owner=record.is_owner, grants=grants)


def may_see_hook(user: User, registry: Registry, hook_id: str) -> bool:
    """Whether a user may see a job hook; one that is gone is seen by who may see all."""
    return _may_see_record(user, "see a job hook", registry.find(JobHook, hook_id))


def result_for(user: User, registry: Registry, result: JobResult) -> JobResult:
    """A result that a user may see, with the id in place of the name of a job hook or button that they may not."""
    id_ = result.occasion_id
    if result.kind == "hook":
        is_seen = may_see_hook(user, registry, id_)
    elif result.kind == "button":
        is_own = user.known and result.user_name == user.username
        is_seen = is_own or _may_see_record(user, "see a job button", registry.find(JobButton, id_))
    else:
        is_seen = True
    return result if is_seen else msgspec.structs.replace(result, occasion=id_)


def _may_see_record(user: User, act: str, record: JobHook | JobButton | None) -> bool:
    if record is not None:
        return missing(user, act, record) is None
    permission = RIGHTS[act][0].permission
    return user.has_perm(permission) and not user.is_limited(permission)


async def object_of(user: User, reader: Reader, object_type: str, pk: str) -> StoredObject | str:
    """An object as constraints of viewing are to see it: as it is, or as it last was.

    Where no constraint would look at it nothing is read, and its type stands for it.
    """
    if not user.is_limited(object_permission(object_type, VIEW)):
        return object_type
    stored = await reader.get_object((object_type, pk))
    if stored is not None:
        return stored
    last = await reader.changes(ChangeQuery(object_type=object_type, object_pk=pk, limit=1))
    if not last:
        return StoredObject(object_type, pk, "{}", 0, "", Microseconds(0))
    change = last[0]
    text = change.postchange if change.postchange is not None else change.prechange
    return StoredObject(object_type, pk, text or "{}", change.id, change.user_name, change.recorded_at)


def may_start(user: User, act: str, *subjects: Any) -> str | None:
    """Why a run that waited may not start after all, or None when it may."""
    if not user.known:
        return f"{user.username!r} is not a known user"
    refused = _refused(user, act, *subjects)
    if refused is None:
        return None
    lack = "holds {}, but not for this one" if user.has_perm(refused) else "lacks {}"
    return f"{user.username!r} {lack.format(refused)}"
