"""Checks of a request before the handler runs: a host of this server, no foreign page, JSON.

Apart from the routes, so that no route omits a check. A foreign web page can make the reader's
browser send requests to a server on the reader's machine; the browser reports this in Origin and
Sec-Fetch-Site.
"""

from penstock.core import ServingError
from penstock.http._hosts import host_name, is_loopback
from penstock.http._messages import Call, HttpError

_FORM = "application/x-www-form-urlencoded"  # the default of curl -d and urllib
_WHY = "A page in a user's browser could write predictions and ground truth."

SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: browsers then send "Origin: null" with the forms of this site's own pages.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
"""Headers of every response: no page may frame, guess or read what this server answers."""


def require_bind(host: str, *, has_users: bool) -> None:
    """Refuse an address beyond this machine, for a store without users.

    Args:
        host: Address to listen on.
        has_users: Whether people sign in to the store.

    Raises:
        ServingError: If everyone on the network would be let in.
    """
    if has_users or is_loopback(host):
        return
    raise ServingError(
        what=f"{host} can be reached from other machines, and the store has no users.",
        why="Everyone on the network could read and change the store.",
        fix="Use --host 127.0.0.1, or create the first user: penstock users first",
        host=host,
    )


def require_host(call: Call, hosts: frozenset[str]) -> None:
    """Refuse host names that a foreign page could have given this machine (DNS rebinding).

    Args:
        call: The request.
        hosts: Names without a port, in lower case; empty for any.

    Raises:
        HttpError: 400 for a name not in ``hosts``.
    """
    if not hosts:
        return
    host = call.header(b"host") or ""
    if host_name(host) not in hosts:
        raise HttpError(
            400,
            f"The server does not go by the name {host[:60]!r}.",
            "A page from elsewhere could be asking.",
            "On the same machine use http://127.0.0.1 or http://localhost; a name under which others"
            f" reach the server is given at its start: --allowed-host {host_name(host)[:60] or 'NAME'}",
        )


def require_own_page(call: Call) -> None:
    """Refuse requests that a page of a foreign site makes a browser send.

    Raises:
        HttpError: 403 for a foreign origin.
    """
    site, origin = call.header(b"sec-fetch-site"), call.header(b"origin")
    if site is not None and site.strip().lower() not in {"same-origin", "none"}:
        raise HttpError(
            403, f"The request comes from a different site ({site[:20]}).", _WHY, _fix()
        )
    host = (call.header(b"host") or "").lower()
    if origin is not None and origin.strip().lower() not in {f"http://{host}", f"https://{host}"}:
        raise HttpError(403, f"The request comes from {origin[:60]!r}.", _WHY, _fix())


def require_json(call: Call) -> None:
    """Refuse a body not declared as JSON; pages may send further types to any site without preflight.

    The default type of ``curl -d`` passes where no browser is involved.

    Raises:
        HttpError: 415 for a type that is not JSON, or a compressed body.
    """
    sent_encoding, sent = call.header(b"content-encoding"), call.header(b"content-type") or ""
    if sent_encoding is None and sent == "application/json":
        return
    encoding = (sent_encoding or "identity").strip().lower()
    if encoding != "identity":
        raise HttpError(
            415,
            f"The body is compressed ({encoding[:20]}).",
            "The server reads plain JSON.",
            "Send it without Content-Encoding.",
        )
    kind = sent.partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return
    is_browser = call.header(b"origin") is not None or call.header(b"sec-fetch-site") is not None
    if kind in {"", _FORM} and not is_browser:
        return
    raise HttpError(
        415,
        f"The body is {kind[:60] or 'of no type'}.",
        "Predictions and truth are sent as JSON, and the request has to say so.",
        "Send the header Content-Type: application/json.",
    )


def _fix() -> str:
    return "Send the request from your own server, or from a program that is not a browser."
