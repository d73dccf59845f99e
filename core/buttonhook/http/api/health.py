"""Whether the daemon lives, whether it can take work, and its figures."""

from typing import Annotated, Any, Final, Literal

from litestar import Response
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Meta

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import PUBLIC, act, get
from buttonhook.http.metrics import CONTENT_TYPE
from buttonhook.http.problems import RETRY_SECONDS
from buttonhook.http.reading import Request
from buttonhook.http.shapes.base import Shape

TAGS: Final = ["health"]


class HealthShape(Shape):
    status: Literal["ok"]


class ReadyShape(Shape):
    status: Literal["ready", "not ready"]
    reason: Annotated[str, Meta(examples=["", "storage", "stopping"])]


@get("/healthz", PUBLIC, tags=TAGS)
async def health() -> HealthShape:
    """Whether the daemon lives: it answers."""
    return HealthShape(status="ok")


@get(
    "/readyz",
    PUBLIC,
    tags=TAGS,
    responses={503: ResponseSpec(ReadyShape, description="Not now.", generate_examples=False)},
)
async def readiness(request: Request) -> Response[ReadyShape]:
    """Whether the daemon can take work now.

    Not while it stops, and not while its database cannot be written; who may see the audit log finds there why.
    """
    reason = daemon_of(request).why_not_ready
    if reason is None:
        return Response(ReadyShape(status="ready", reason=""))
    shape = ReadyShape(status="not ready", reason=reason.partition(":")[0])
    return Response(shape, status_code=503, headers={"Retry-After": str(RETRY_SECONDS)})


@get("/metrics", act("see metrics"), tags=TAGS, media_type="text/plain")
async def metrics(request: Request) -> Response[Any]:
    """Figures for Prometheus. They count over everything, so constraints on the permission let nobody see them."""
    access_of(request).history.require_metrics()
    return Response(daemon_of(request).metrics.text(), media_type=CONTENT_TYPE)


ROUTES: Final = (health, readiness, metrics)
