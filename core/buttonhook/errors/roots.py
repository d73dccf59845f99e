"""The base of all errors, and those that are about no one thing: settings, questions, permissions, calls."""

import difflib
from collections.abc import Sequence


class ButtonhookError(Exception):
    """The base of all errors in this module."""


class SettingsError(ButtonhookError):
    """A setting cannot be used. `origin` tells where it was set."""

    def __init__(self, setting: str, problem: str, origin: str = "", cure: str = "") -> None:
        self.setting, self.problem, self.origin, self.cure = setting, problem, origin, cure
        place = f" (from {origin})" if origin else ""
        super().__init__(f"Setting {setting!r}{place} {problem}.{' ' + cure if cure else ''}")


class DaemonError(ButtonhookError):
    """A command cannot ask a daemon, or does not understand its answer. `daemon` is its address, or a file about it."""

    def __init__(self, daemon: str, problem: str, cure: str) -> None:
        self.daemon, self.problem, self.cure = daemon, problem, cure
        super().__init__(f"Daemon {daemon!r} {problem}.{' ' + cure if cure else ''}")


class QueryError(ButtonhookError):
    def __init__(self, what: str, problem: str, cure: str = "") -> None:
        self.what, self.problem, self.cure = what, problem, cure
        super().__init__(f"Query {what!r} {problem}.{' ' + cure if cure else ''}")


class PermissionDenied(ButtonhookError):
    """A user lacks a permission. `is_narrowed`: they hold it, but not for this object.

    Without a `permission` it is something that only owners may do. `key`: the object that may not be written.
    """

    def __init__(
        self, user_name: str, what: str, permission: str, *, is_narrowed: bool = False, key: tuple[str, str] = ("", "")
    ) -> None:
        self.user_name, self.what, self.permission = user_name, what, permission
        self.is_narrowed, self.key = is_narrowed, key
        lack = f"{permission} is held, but not for this one" if is_narrowed else f"that needs {permission}"
        cure = f" Give it with: buttonhook users grant {user_name} {permission}" if permission else ""
        super().__init__(f"User {user_name!r} may not {what}: {lack if permission else 'only an owner may'}.{cure}")


class BeyondToken(PermissionDenied):
    """Who acts through a token asks for what that token may not, whatever its user may."""

    def __init__(self, user_name: str, what: str) -> None:
        super().__init__(user_name, what, "")
        self.args = (f"User {user_name!r} may not {what}, acting through a token. Log in to do that.",)


class UsageError(ButtonhookError):
    """Our interface was used from a place where it cannot work."""


class NeverAwaited(UsageError):
    def __init__(self, what: str, place: str, right_form: str) -> None:
        self.what, self.place, self.right_form = what, place, right_form
        super().__init__(f"{what} at {place} was never awaited. Write: {right_form}")


class NoSession(UsageError):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} needs an open app. Inside a receiver there is always one; elsewhere use "
            "'async with open_app(...) as app:' and 'async with app.transaction():' or app.objects(...)."
        )


class UndeclaredSettings(UsageError):
    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        super().__init__(
            f"Receiver {receiver!r} asks for self.settings, but its plugin declares none. Declare them in the module "
            "of its entry point: @hookimpl def buttonhook_settings(): return MySettings (a msgspec.Struct)."
        )


class NotLoaded(UsageError):
    def __init__(self, what: str, problem: str) -> None:
        self.what, self.problem = what, problem
        super().__init__(f"{what} {problem}.")


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that looks most like `word`, if one is near enough to be meant."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.75)), None)
