"""Where events may be sent: a URL's name is resolved, checked and connected to as a single operation.

A hook's URL makes this machine send requests, so a hook must not become a way into the network
around the machine (as in CVE-2026-2393). Private, link-local and metadata addresses are refused
after the name was resolved, the connection goes to the checked address, and redirects are not
followed.
"""

import ipaddress
import os
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from penstock.core import ParameterError, allowed_hosts, did_you_mean

_PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}
_WITH_USER = frozenset({"smtp", "smtps"})
# Public by their number, and yet answered inside a data center: metadata of Azure and Oracle.
_INNER = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
_UNICAST = ipaddress.ip_network("2000::/3")  # all that IPv6 has given out for the public network
# Inside it: addresses that carry another one (6to4), and blocks that no one answers for.
_NOT_UNICAST = tuple(
    map(ipaddress.ip_network, ("2001::/23", "2002::/16", "3ffe::/16", "3fff::/20"))
)
_ANYCAST = ipaddress.ip_network("192.88.99.0/24")  # relays of 6to4


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked address.

    Args:
        url: URL to connect to: the address in the place of the name.
        host: The name with the port, for the Host header.
        name: The name alone, for which the certificate must be valid.
        address: The address.
        port: The port.
    """

    url: str
    host: str
    name: str
    address: str
    port: int


def require_destination(url: str) -> None:
    """Refuse a URL to which no event may be sent, as far as is possible without resolving the name.

    Raises:
        ParameterError: If the URL cannot be used.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ParameterError(
            what=f"{url!r} is no address that events can be posted to.",
            fix=f"{did_you_mean(parts.scheme, _PORTS)} Write https://host/path",
            url=url,
        )
    port = _port(url)
    if parts.password or (parts.username and parts.scheme not in _WITH_USER):
        raise ParameterError(
            what=f"The URL of {parts.hostname} holds a user or password.",
            why="URLs are listed and shown.",
            fix="Leave it out: messages are signed; OpenLineage takes a key and a mail server takes"
            " the password as --secret.",
        )
    if parts.scheme == "http" and not is_allowed(parts.hostname, port):
        raise ParameterError(
            what=f"{url!r} is not encrypted.",
            why="What runs are called, and what went wrong in them, could be read on the way.",
            fix=f"Use https, or allow the host: {_how(parts.hostname, port)}",
            url=url,
        )
    if _is_address(parts.hostname) and not is_allowed(parts.hostname, port):
        _require_public(parts.hostname, parts.hostname, port)


def find_destination(url: str) -> Destination:
    """Resolve a URL's name and check the address.

    Raises:
        ParameterError: If no event may be sent to the address.
        OSError: If the name cannot be resolved.
    """
    require_destination(url)
    parts, port = urlsplit(url), _port(url)
    name = parts.hostname or ""
    resolved = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    addresses = [str(address[4][0]) for address in resolved]
    if not is_allowed(name, port):
        for address in addresses:
            _require_public(address, name, port)
    address = addresses[0]
    shown = f"[{address}]" if ":" in address else address
    target = parts._replace(netloc=f"{shown}:{port}", fragment="").geturl()
    host = name if _PORTS[parts.scheme] == port else f"{name}:{port}"
    return Destination(target, host, name, address, port)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _require_public(address: str, name: str, port: int) -> None:
    if is_public(address):
        return
    shown = address if address == name else f"{name} ({address})"
    raise ParameterError(
        what=f"{shown} is an address of a private network.",
        why="A hook must not become a way to what only this machine can reach.",
        fix=f"If it is meant, allow it: {_how(name, port)}",
        address=address,
    )


def is_public(address: str) -> bool:
    """Return whether an address is a single machine's on the public network.

    >>> [
    ...     is_public(each)
    ...     for each in ("93.184.216.34", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1")
    ... ]
    [True, False, False, False]

    IPv6 counts only where it can carry no other address: a translator (NAT64, 6to4) would lead to
    the private IPv4 address inside.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return is_public(str(parsed.ipv4_mapped))
        is_plain = parsed in _UNICAST and not any(parsed in each for each in _NOT_UNICAST)
        return is_plain and parsed.is_global
    is_reserved = parsed.is_multicast or parsed in _INNER or parsed in _ANYCAST
    return parsed.is_global and not is_reserved


def _port(url: str) -> int:
    parts = urlsplit(url)
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise ParameterError(
            what=f"{url!r} has no usable port.", fix="Write https://host:8443/path", url=url
        ) from error


def is_allowed(name: str, port: int) -> bool:
    """Return whether a host is among the hook-hosts of the settings."""
    allowed = allowed_hosts()
    return name in allowed or f"{name}:{port}" in allowed


def _how(name: str, port: int) -> str:
    if "PENSTOCK_HOOK_HOSTS" in os.environ:
        return f"PENSTOCK_HOOK_HOSTS={name}:{port}"
    return f'[tool.penstock] hook-hosts = ["{name}:{port}"]'
