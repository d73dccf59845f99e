"""The author of a change or a press, as a receiver sees them: a snapshot, taken when the attempt starts."""


class User:
    """Who caused this run. `known` is false for an author without a user record, who may do nothing."""

    __slots__ = ("is_owner", "known", "permissions", "username")

    def __init__(
        self, username: str, *, known: bool = False, is_owner: bool = False, permissions: frozenset[str] = frozenset()
    ) -> None:
        self.username = username
        self.known = known
        self.is_owner = is_owner
        self.permissions = permissions

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Whether this user holds `app.action_model`, as in `dcim.add_device`."""
        return self.is_owner or perm in self.permissions

    def __str__(self) -> str:
        return self.username

    def __repr__(self) -> str:
        return f"User({self.username!r}, known={self.known})"
