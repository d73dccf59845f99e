"""Pushes to a Git server as changes: each branch is an object, so that a job hook can act on what was merged.

GitHub, Gitea and Forgejo send this body, signed in `X-Hub-Signature-256`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from buttonhook import hookimpl
from buttonhook.errors import Fault
from buttonhook.webhooks import Webhook, WebhookReader, WebhookReading, WebhookWrite, text_of


def read_push(webhook: Webhook) -> WebhookReading:
    """One branch as the push left it. What is no push of a branch, as of a tag, says nothing."""
    body = webhook.body
    if not isinstance(body, dict):
        raise Fault("", "an object is expected")
    kind, _, branch = text_of(body, "ref").removeprefix("refs/").partition("/")
    if kind != "heads" or "after" not in body:
        return WebhookReading()
    repository = text_of(_mapping(body, "repository"), "full_name")
    if not repository:
        raise Fault("repository.full_name", "is missing")
    states = [_state(repository, branch, text_of(body, name)) for name in ("before", "after")]
    before, after = states
    if after is not None:
        after["message"] = text_of(_mapping(body, "head_commit"), "message")
    pusher = _mapping(body, "pusher")
    write = WebhookWrite(
        object_type="git.branch",
        pk=f"{repository}:{branch}".replace("/", ":"),
        before=before,
        after=after,
    )
    return WebhookReading(writes=(write,), user_name=text_of(pusher, "login", "username", "name"))


def _mapping(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Fault(name, "an object is expected")
    return value


def _state(repository: str, branch: str, commit: str) -> dict[str, Any] | None:
    """A branch at a commit; the commit of zeros is how Git says that there is none."""
    if not commit.strip("0"):
        return None
    return {"name": f"{repository} {branch}", "repository": repository, "branch": branch, "commit": commit}


@hookimpl
def buttonhook_webhook_readers() -> Iterable[WebhookReader]:
    return [
        WebhookReader(
            "git-push",
            read_push,
            "Pushes to GitHub, Gitea or Forgejo: each branch is an object.",
            signature_header="X-Hub-Signature-256",
            algorithm="sha256",
        )
    ]
