"""Errors of packages that cannot be used as they are."""

from buttonhook.errors.roots import ButtonhookError


class PluginError(ButtonhookError):
    """A plugin package cannot be used."""


class DuplicateJob(PluginError):
    def __init__(self, job: str, first: str, second: str) -> None:
        self.job, self.first, self.second = job, first, second
        super().__init__(
            f"Job {job!r} is registered by both {first!r} and {second!r}. Rename one or block one of the plugins."
        )


class DuplicateObjectType(PluginError):
    def __init__(self, object_type: str, first: str, second: str) -> None:
        self.object_type, self.first, self.second = object_type, first, second
        super().__init__(
            f"Object type {object_type!r} is declared by both {first!r} and {second!r}. "
            "Rename one or block one of the plugins."
        )


class DuplicatePreset(PluginError):
    def __init__(self, preset: str, first: str, second: str) -> None:
        self.preset, self.first, self.second = preset, first, second
        super().__init__(
            f"Condition preset {preset!r} is brought by both {first!r} and {second!r}. "
            "Rename one or block one of the plugins."
        )


class DuplicateWebhookReader(PluginError):
    def __init__(self, reader: str, first: str, second: str) -> None:
        self.reader, self.first, self.second = reader, first, second
        super().__init__(
            f"Webhook reader {reader!r} is brought by both {first!r} and {second!r}. "
            "Rename one or block one of the plugins."
        )


class BadReceiver(PluginError):
    """A receiver class is refused at load. `cure` shows the right form."""

    def __init__(self, receiver: str, problem: str, cure: str) -> None:
        self.receiver, self.problem, self.cure = receiver, problem, cure
        super().__init__(f"Receiver {receiver!r} {problem}. {cure}")


class BadObjectType(PluginError):
    def __init__(self, name: str, problem: str, cure: str) -> None:
        self.name, self.problem, self.cure = name, problem, cure
        super().__init__(f"Object type {name!r} {problem}. {cure}")
