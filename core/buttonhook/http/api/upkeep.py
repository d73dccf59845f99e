"""Looking the database over: for owners, as it reads all of it and tells of everything."""

from typing import Final

from buttonhook.errors import PermissionDenied
from buttonhook.http.asking import asker_of, daemon_of
from buttonhook.http.declaring import LOGIN, post
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request
from buttonhook.http.shapes.base import Shape
from buttonhook.looking_over import look_over

TAGS: Final = ["health"]


class CheckShape(Shape):
    """What was found; without `problems` all is well."""

    problems: list[str]
    warnings: list[str]
    """What will not work as it is set up, and objects that their type no longer accepts."""
    counts: dict[str, int]


@post("/api/check", LOGIN, tags=TAGS, status_code=200)
async def check_database(request: Request) -> CheckShape:
    """Look the whole database over. Only owners may; one look at a time."""
    asker, daemon = asker_of(request), daemon_of(request)
    if not asker.user.is_owner:
        raise PermissionDenied(asker.user.username, "look the database over", "")
    if daemon.checking.locked():
        raise Refused(429, "busy", "The database is being looked over already.", headers={"Retry-After": "5"})
    async with daemon.checking:
        report, warnings = await look_over(daemon.app)
    return CheckShape(problems=report.problems, warnings=warnings, counts=report.counts)


ROUTES: Final = (check_database,)
