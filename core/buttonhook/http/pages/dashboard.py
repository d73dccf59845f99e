"""The first page: what stands at the moment. A script has it made anew when something was committed."""

from typing import Any, Final

from litestar import Response

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import LOGIN
from buttonhook.http.pages.overview import look
from buttonhook.http.pages.page import fragment, page, show, why_not
from buttonhook.http.reading import Request
from buttonhook.records import Job

SEES_SOMETHING: Final = ("jobs.view_jobresult", "jobs.view_objectchange", "jobs.view_job", "jobs.run_job")


@page("/", LOGIN)
async def dashboard(request: Request) -> Response[Any]:
    """What runs, what failed, what waits."""
    access = access_of(request)
    return show(
        request,
        "dashboard.html",
        "Dashboard",
        seen=await look(access, daemon_of(request)),
        why_not_rerun=why_not(request, "jobs.run_job"),
        is_fresh=access.user.has_perm("jobs.change_job") and not any(map(_is_enabled, access.configuration.jobs())),
        is_new=not any(map(access.user.has_perm, SEES_SOMETHING)),
    )


def _is_enabled(job: Job) -> bool:
    return job.enabled


@page("/dashboard/now", LOGIN)
async def dashboard_now(request: Request) -> Response[Any]:
    """What changes on the first page, for its script."""
    return fragment(
        request,
        "dashboard/now.html",
        seen=await look(access_of(request), daemon_of(request)),
        why_not_rerun=why_not(request, "jobs.run_job"),
    )


ROUTES: Final = (dashboard, dashboard_now)
