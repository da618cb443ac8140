"""Names of hosts: which are this machine's own, and how a header and a URL write them."""

import contextlib
import ipaddress
from collections.abc import Sequence

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_LAST_PORT = 65_535


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("::"), is_loopback("web")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def url_host(host: str) -> str:
    """Return an address in the form of URLs: IPv6 in brackets.

    >>> url_host("::1"), url_host("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host


def known_hosts(host: str, further: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names under which a server answers: this machine, the address, further names.

    >>> known_hosts("10.0.0.7", ["ML.example.org"])
    ('localhost', '127.0.0.1', '[::1]', '10.0.0.7', 'ml.example.org')

    Args:
        host: The address that the server listens on.
        further: Names under which clients reach the server, without a port.
    """
    return (*LOCAL_HOSTS, url_host(host), *(name.lower() for name in further))


def host_name(header: str) -> str:
    """Return the name in a Host header, in lower case, without the port.

    >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("a:99999")
    ('localhost', '[::1]', '')

    Returns:
        The name; empty if the port is impossible.
    """
    text = header.strip().lower()
    end = text.rfind("]") + 1  # of an IPv6 address, which contains colons
    name, mark, port = text[end:].partition(":")
    if mark and not (port.isascii() and port.isdigit() and int(port[:6]) <= _LAST_PORT):
        return ""
    return text[:end] + name
