"""Users, groups, permissions, tokens, and who is logged in. No hash is in any of them."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from buttonhook import times
from buttonhook.administration import TOKEN_DAYS
from buttonhook.http.shapes.base import Input, Shape, moment
from buttonhook.ids import now
from buttonhook.people import Constraint, GroupRecord, PermissionRecord, TokenRecord, UserRecord

Name = Annotated[str, Meta(min_length=1, max_length=255, examples=["ann"])]
Permissions = Annotated[list[str], Meta(examples=[["jobs.run_job", "dcim.view_device"]])]
Password = Annotated[str, Meta(min_length=1, max_length=1000, examples=["correct horse battery"])]


class LoginInput(Input):
    name: Name
    password: Password


class SetUpInput(Input):
    code: Annotated[str, Meta(min_length=1, max_length=200, description="What stands behind `#` in the set-up link.")]
    name: Name
    password: Password


class MeShape(Shape):
    """Who asks, and what they may."""

    name: str
    kind: Literal["login", "token", "local"]
    is_owner: bool
    """An owner may do everything."""
    is_disabled: bool
    """A disabled user may do nothing; the command line asks for one on the daemon's own machine."""
    version: str
    """Of the daemon."""
    permissions: list[str]
    """What they are given, themselves and by their groups. With constraints: see the user's permissions."""
    scopes: list[str] | None
    """With a token: of the permissions only these; null: all."""
    broken_plugins: list[str]
    """Plugins that have errors, of those that you may see."""
    csrf_token: str
    """To be sent as X-CSRF-Token with all that changes something, where the session's cookie says who asks."""


class UserShape(Shape):
    name: str
    is_owner: bool
    is_disabled: bool
    groups: list[str]
    has_password: bool

    @classmethod
    def of(cls, record: UserRecord, groups: dict[str, str]) -> "UserShape":
        """`groups`: names of the groups that may be seen, by id."""
        return cls(
            name=record.name,
            is_owner=record.is_owner,
            is_disabled=record.is_disabled,
            groups=[groups[each] for each in record.groups if each in groups],
            has_password=bool(record.password_hash),
        )


class UserInput(Input):
    name: Name
    is_owner: bool = False
    groups: list[str] = []


class UserChange(Input):
    """What is not given stays."""

    is_owner: bool | UnsetType = UNSET
    is_disabled: bool | UnsetType = UNSET
    groups: list[str] | UnsetType = UNSET


class PasswordInput(Input):
    password: Password
    current_password: str = ""
    """Needed to change one's own where one has one."""


class GroupShape(Shape):
    id: str
    name: str
    members: list[str]

    @classmethod
    def of(cls, record: GroupRecord, users: list[UserRecord]) -> "GroupShape":
        """`users`: those that may be seen."""
        return cls(id=record.id, name=record.name, members=[each.name for each in users if record.id in each.groups])


class GroupInput(Input):
    name: Annotated[str, Meta(min_length=1, max_length=255, examples=["operators"])]


class ConstraintShape(Shape):
    """A row that the object must meet, as `location = ams01`."""

    path: Annotated[str, Meta(examples=["location"])]
    operator: Annotated[str, Meta(examples=["="])]
    value: Any


class PermissionShape(Shape):
    id: str
    name: str
    permissions: list[str]
    users: list[str]
    groups: list[str]
    constraints: list[ConstraintShape]
    is_disabled: bool

    @classmethod
    def of(cls, record: PermissionRecord, groups: dict[str, str]) -> "PermissionShape":
        """`groups`: names of the groups that may be seen, by id."""
        return cls(
            id=record.id,
            name=record.name,
            permissions=list(record.permissions),
            users=list(record.users),
            groups=[groups[each] for each in record.groups if each in groups],
            constraints=[
                ConstraintShape(path=each.path, operator=each.operator, value=each.value) for each in record.constraints
            ],
            is_disabled=record.is_disabled,
        )


class ConstraintInput(Input):
    path: Annotated[str, Meta(max_length=1000, examples=["location"])]
    operator: Annotated[str, Meta(examples=["="])]
    value: Any

    def record(self) -> Constraint:
        return Constraint(self.path, self.operator, self.value)


class PermissionInput(Input):
    """Permissions given to users and groups, on what meets every constraint."""

    permissions: Permissions
    users: list[str] = []
    groups: list[str] = []
    constraints: list[ConstraintInput] = []
    name: Name | None = None
    """Unset: one that says what it is."""


class RevokeInput(Input):
    """Permissions taken from one user or one group."""

    permissions: Permissions
    user: str | None = None
    group: str | None = None


class TokenShape(Shape):
    name: str
    """Its public part."""
    user: str
    created_at: str
    expires_at: str | None
    is_expired: bool
    scopes: list[str] | None
    """Of what its user may, only these; null: all."""
    description: str

    @classmethod
    def of(cls, record: TokenRecord) -> "TokenShape":
        expires_at = record.expires_at
        return cls(
            name=record.name,
            user=record.user,
            created_at=times.to_text(record.created_at),
            expires_at=moment(expires_at),
            is_expired=expires_at is not None and expires_at <= now(),
            scopes=None if record.scopes is None else list(record.scopes),
            description=record.description,
        )


class NewTokenShape(TokenShape):
    token: str
    """The token itself. It is shown this once."""

    @classmethod
    def with_text(cls, record: TokenRecord, text: str) -> "NewTokenShape":
        shape = TokenShape.of(record)
        return cls(**{name: getattr(shape, name) for name in TokenShape.__struct_fields__}, token=text)


class _NewToken(Input):
    scopes: list[str] | None = None
    """Of what its user may, only these; null: all."""
    days: Annotated[float, Meta(gt=0, le=36500)] | None = TOKEN_DAYS
    """How long it lives; null: until it is removed."""
    description: Annotated[str, Meta(max_length=1000)] = ""


class TokenInput(_NewToken):
    user: Name | None = None
    """Unset: who asks."""


class TokenLoginInput(_NewToken, kw_only=True):
    name: Name
    password: Password
