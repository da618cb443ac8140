"""The reader of the pages: the identity of a request, and the token of its forms."""

import contextlib
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from penstock.core import Identity, Secret, SignInError
from penstock.http import HttpError, host_name
from penstock.people import (
    SESSION_COOKIE,
    Authenticator,
    csrf_token,
    is_csrf_token,
    read_session_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.people import NewSession
    from penstock.stores import Store

_KEY: ContextVar[Secret | None] = ContextVar("penstock_form_key", default=None)


class Doorkeeper:
    """Identifies the sender of a request to the pages.

    Args:
        store: The store with the users.
    """

    def __init__(self, store: "Store") -> None:
        self._authenticator = Authenticator(store=store)
        # Forms of a store without users carry this: a foreign page cannot read it.
        self._own = Secret(secrets.token_urlsafe(32))

    def identify(
        self, authorization: str | None, cookie: str | None
    ) -> tuple[Identity | None, Secret]:
        """Return the sender of a request, None if unknown, and the secret behind the page's forms."""
        key = read_session_key(cookie) or self._own
        try:
            return self._authenticator.authenticate(authorization, cookie), key
        except SignInError:
            return None, key


@contextlib.contextmanager
def use_form_key(key: Secret) -> Iterator[None]:
    """Make and check forms inside the block with a secret."""
    token = _KEY.set(key)
    try:
        yield
    finally:
        _KEY.reset(token)


def form_token() -> str:
    """Return the token of this page's forms."""
    key = _KEY.get()
    return "" if key is None else csrf_token(key)


def require_form_token(form: "Mapping[str, str]") -> None:
    """Check that a form was made for the sender.

    Raises:
        HttpError: 403 if not.
    """
    key = _KEY.get()
    if key is None or not is_csrf_token(key, form.get("form_token", "")):
        raise HttpError(
            403,
            "The form was not made for this session.",
            "Another site could have sent it, or you have signed in again since.",
            "Go back, reload the page, and try again.",
        )


def is_encrypted(scheme: str, host: str, url: str) -> bool:
    """Return whether the browser of a request has reached this server encrypted.

    A proxy that speaks TLS sends requests on without: they carry the name that the server's URL has.
    Whoever tunnels to the machine itself uses another name, and would never send a Secure cookie.

    >>> is_encrypted("http", "ml.example.org", "https://ml.example.org")
    True
    >>> is_encrypted("http", "localhost:4270", "https://ml.example.org")
    False

    Args:
        scheme: Scheme of the request, as this server or a trusted proxy says.
        host: Header Host of the request.
        url: URL under which browsers reach the server; empty if nobody says so.
    """
    if scheme == "https":
        return True
    parts = urlsplit(url)
    return parts.scheme == "https" and host_name(host) == host_name(parts.netloc)


def set_cookie(session: "NewSession", *, secure: bool) -> str:
    """Return the header Set-Cookie that begins a session in the browser."""
    seconds = int((session.record.expires_at - session.record.created_at).total_seconds())
    return _cookie(session.secret.reveal(), seconds, secure=secure)


def end_cookie(*, secure: bool) -> str:
    """Return the header Set-Cookie that ends the session in the browser."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, seconds: int, *, secure: bool) -> str:
    parts = [
        f"{SESSION_COOKIE}={value}",
        "Path=/",
        f"Max-Age={seconds}",
        "HttpOnly",
        "SameSite=Strict",
    ]
    return "; ".join([*parts, "Secure"] if secure else parts)


def sign_in_link(path: str) -> str:
    """Return the address of the sign-in page that leads back to a page of this site.

    >>> sign_in_link("/models/churn"), sign_in_link("//evil.example")
    ('/sign-in?next=/models/churn', '/sign-in')
    """
    own = own_path(path)
    return f"/sign-in?next={quote(own)}" if own not in {"", "/", "/sign-in"} else "/sign-in"


def own_path(path: str) -> str:
    r"""Return a path of this site; empty if a browser would go elsewhere.

    >>> own_path("/runs?x=1"), own_path("https://evil.example"), own_path("/\\evil.example")
    ('/runs?x=1', '', '')
    """
    is_own = path.startswith("/") and not path.startswith("//") and path.isprintable()
    return path if is_own and "\\" not in path else ""
