"""Where the daemon listens, and whether it may: nothing beyond this machine without an owner who can log in and TLS."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from buttonhook.errors import SettingsError
from buttonhook.settings import Settings


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(settings: Settings, *, has_owner: bool) -> None:
    """Refuse to be reached from elsewhere where that is not safe.

    Raises:
        SettingsError: saying what is missing.
    """
    if is_loopback(settings.host):
        return
    problem = f"is {settings.host!r}, which other machines reach"
    if settings.tls_cert is None and not settings.proxy:
        cure = "Give a certificate with --tls-cert and --tls-key, or name the proxy that has one: --proxy ADDRESS."
        raise SettingsError("host", problem, cure=cure)
    if not has_owner:
        cure = (
            "No owner can log in yet: start on 127.0.0.1, open the set-up link that is printed there, then come back."
        )
        raise SettingsError("host", problem, cure=cure)


def check_proxies(settings: Settings) -> list[str]:
    """The addresses and networks of trusted proxies.

    Raises:
        SettingsError: one is none.
    """
    for each in settings.proxy:
        try:
            ipaddress.ip_network(each, strict=False)
        except ValueError as exc:
            cure = "Write addresses or networks, as in 10.0.0.5 or 10.0.0.0/24."
            raise SettingsError("proxy", f"holds {each!r}: {exc}", cure=cure) from exc
    return list(settings.proxy)


def check_certificate(settings: Settings) -> Path | None:
    """The file of the certificate, if there is one; it is looked at before anything else is opened.

    Raises:
        SettingsError: it cannot be used.
    """
    if settings.tls_cert is None:
        if settings.tls_key is not None:
            raise SettingsError("tls_key", "is set without a certificate", cure="Give --tls-cert, too.")
        return None
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_cert, settings.tls_key, password=_refuse_password
        )
    except (OSError, ssl.SSLError, ValueError) as exc:
        raise SettingsError(
            "tls_cert",
            f"is {settings.tls_cert!r}, which cannot be used: {exc}",
            cure="Give PEM files: the certificate with its chain, and its key without a password.",
        ) from exc
    return Path(settings.tls_cert)


def _refuse_password() -> str:
    raise ValueError("the key has a password")


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """A socket bound to host and port. Nobody is let in before somebody listens on it.

    Raises:
        SettingsError: the address is not ours or taken.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as exc:
        raise SettingsError("host", f"is {settings.host!r}: {exc}") from exc
    with socket.socket(family, kind, number) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
        except OSError as exc:
            cure = "Choose another one with --port."
            problem = f"is {settings.port}, where {settings.host} cannot be listened on: {exc.strerror}"
            raise SettingsError("port", problem, cure=cure) from exc
        bound.setblocking(False)
        yield bound


def url_of(bound: socket.socket, settings: Settings) -> str:
    """How this machine reaches what listens on a socket."""
    host, port = bound.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if "." in host else "::1"
    named = "localhost" if settings.host == "localhost" else f"[{host}]" if ":" in host else host
    return f"{'https' if settings.tls_cert else 'http'}://{named}:{port}"
