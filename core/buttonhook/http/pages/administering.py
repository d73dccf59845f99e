"""All pages of the administration: people, sources, plugins, settings, the audit log."""

from typing import Final

from buttonhook.http.pages import audit, groups, permissions, plugins, settings, sources, tokens, users

ROUTES: Final = (
    *users.ROUTES,
    *groups.ROUTES,
    *permissions.ROUTES,
    *tokens.ROUTES,
    *sources.ROUTES,
    *plugins.ROUTES,
    *settings.ROUTES,
    *audit.ROUTES,
)
