"""Where the pages are: the menu at the side, with what the one who asks may open."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from buttonhook.objects.keys import object_permission
from buttonhook.permissions import VIEW
from buttonhook.receivers.user import User
from buttonhook.registry import Registry

MOST_TYPES: Final = 12
"""Object types in the menu; the page of all types has the others."""


class NavItem(Struct, frozen=True):
    """One entry; who holds none of the `permissions` does not see it, and without any everybody does."""

    label: str
    href: str
    icon: str = ""
    permissions: tuple[str, ...] = ()
    inner: tuple["NavItem", ...] = ()

    def is_current(self, path: str) -> bool:
        """Whether a page belongs to this entry."""
        return path == self.href or (self.href != "/" and path.startswith(self.href + "/"))


class NavGroup(Struct, frozen=True):
    label: str
    items: tuple[NavItem, ...]


GROUPS: Final = (
    NavGroup(
        "",
        (
            NavItem("Dashboard", "/", "dashboard"),
            NavItem("Objects", "/objects", "objects"),
            NavItem("Changes", "/changes", "changes", ("jobs.view_objectchange",)),
            NavItem("Job results", "/results", "results"),
        ),
    ),
    NavGroup(
        "Automation",
        (
            NavItem("Jobs", "/jobs", "jobs", ("jobs.view_job",)),
            NavItem("Job hooks", "/hooks", "hooks", ("jobs.view_jobhook",)),
            NavItem("Job buttons", "/buttons", "buttons", ("jobs.view_jobbutton",)),
        ),
    ),
    NavGroup(
        "Administration",
        (
            NavItem("Users", "/users", "users", ("users.view_user",)),
            NavItem("Groups", "/groups", "groups", ("users.view_group",)),
            NavItem("Permissions", "/permissions", "permissions", ("users.view_permission",)),
            NavItem("Tokens", "/tokens", "tokens", ("users.view_token",)),
            NavItem("Sources", "/sources", "sources", ("jobs.view_source",)),
            NavItem("Plugins", "/plugins", "plugins", ("jobs.view_plugin",)),
            NavItem("Settings", "/settings", "settings", ("jobs.view_setting",)),
            NavItem("Audit log", "/audit", "audit", ("users.view_auditentry",)),
        ),
    ),
)
"""The menu. A page of its own gets its line here."""


def menu(user: User, registry: Registry) -> list[NavGroup]:
    """The groups of the menu that a user sees something of."""
    found = [NavGroup(group.label, tuple(_seen(user, registry, group.items))) for group in GROUPS]
    return [group for group in found if group.items]


def _seen(user: User, registry: Registry, items: Sequence[NavItem]) -> list[NavItem]:
    seen = [each for each in items if not each.permissions or any(map(user.has_perm, each.permissions))]
    return [_with_types(each, user, registry) if each.href == "/objects" else each for each in seen]


def _with_types(item: NavItem, user: User, registry: Registry) -> NavItem:
    names = visible_types(user, registry)
    inner = [NavItem(name, f"/objects/{quote(name, safe='')}") for name in names[:MOST_TYPES]]
    return NavItem(item.label, item.href, item.icon, item.permissions, tuple(inner))


def visible_types(user: User, registry: Registry) -> list[str]:
    """The names of the object types of which a user may see some object."""
    types = registry.list_types()
    return [each.name for each in types if user.has_perm(object_permission(each.name, VIEW))]
