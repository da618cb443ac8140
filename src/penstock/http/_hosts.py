"""Names of hosts: which are this machine's own, and how a header and a URL write them."""

import contextlib
import ipaddress
import socket
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

import psutil

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_LAST_PORT = 65_535
_LONGEST_NAME = 300  # of a host, 253 characters, and its port
_ALL = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not listened on


@lru_cache(maxsize=1024)
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


def known_hosts(host: str, further: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names under which a server answers: this machine, the address, further names.

    On an address that other machines reach, the machine's own name counts too, and on all addresses
    (``0.0.0.0``, ``::``) each of them: a foreign page can point a name of its own here, but neither
    an address nor this machine's name.

    >>> known_hosts("127.0.0.1", ["ML.example.org"])
    ('localhost', '127.0.0.1', '[::1]', 'ml.example.org')

    Args:
        host: Address that the server listens on.
        further: Names under which clients reach the server, without a port.
    """
    names = [*LOCAL_HOSTS, url_host(host)]
    if not is_loopback(host):
        names.append(socket.gethostname())
    if host in _ALL:
        names += machine_addresses()
    return tuple(dict.fromkeys(name.lower() for name in [*names, *further]))


def machine_addresses() -> list[str]:
    """Return the addresses by which other machines reach this one, as a URL has them."""
    found = psutil.net_if_addrs().values()
    families = {socket.AF_INET, socket.AF_INET6}
    texts = [each.address for part in found for each in part if each.family in families]
    return [url_host(text) for text in texts if not is_loopback(text) and "%" not in text]


def url_host(host: str) -> str:
    """Return an address in the form of URLs: IPv6 in brackets.

    >>> url_host("::1"), url_host("127.0.0.1")
    ('[::1]', '127.0.0.1')
    """
    return f"[{host}]" if ":" in host else host


def names_of_url(url: str) -> list[str]:
    """Return the name in a URL, as a Host header has it, in a list; empty without a URL.

    >>> names_of_url("https://ML.example.org:8443"), names_of_url("")
    (['ml.example.org'], [])
    """
    name = host_name(urlsplit(url).netloc)
    return [name] if name else []


def host_name(header: str) -> str:
    """Return the name in a Host header, in lower case, without the port.

    >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("a:99999")
    ('localhost', '[::1]', '')

    Returns:
        The name; empty if the port is impossible, or the name longer than any host's.
    """
    return _host_name(header) if len(header) <= _LONGEST_NAME else ""


@lru_cache(maxsize=256)
def _host_name(header: str) -> str:
    text = header.strip().lower()
    end = text.rfind("]") + 1  # of an IPv6 address, which contains colons
    name, mark, port = text[end:].partition(":")
    if mark and not (port.isascii() and port.isdigit() and int(port[:6]) <= _LAST_PORT):
        return ""
    return text[:end] + name
