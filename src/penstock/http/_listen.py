"""listen: open a server's socket before the server starts, so that a taken port is an error."""

import ctypes
import errno
import socket
import struct
import sys

from penstock.core import ServingError

_LAST_PORT = 65_535
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
# A filter of Linux (linux/filter.h; code, jump if true, jump if false, value) that drops a TCP
# segment with the SYN flag and passes every other.
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load byte 13 of the TCP header: its flags
    (0x45, 0, 1, 0x02),  # SYN set?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFF),  # pass
)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Open a listening socket.

    Args:
        host: Address of this machine.
        port: TCP port; 0 for a free port.
        shared: Let further processes of this user listen on the same port; the system distributes
            connections among them.

    Raises:
        ServingError: If the port is in use or not permitted, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off: otherwise replies wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared and hasattr(socket, "SO_REUSEPORT"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise _refusal(host, port, error) from error
    listener.set_inheritable(True)
    return listener


def hold_back_new(listener: socket.socket) -> bool:
    """Let no further connection begin on a listening socket; say whether the system can do that.

    Whoever connects is neither refused nor accepted until the socket closes: then the system's
    second try, a second later, is refused. Else a connection made between the last accept
    and the close is reset, as if the request might have been handled.
    """
    if sys.platform != "linux":
        return False
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in _DROP_SYN))
    program = struct.pack("HL", len(_DROP_SYN), ctypes.addressof(code))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:  # a sandbox without socket filters
        return False
    return True


def _refusal(host: str, port: int, error: Exception) -> ServingError:
    number = getattr(error, "errno", None)
    other = port + 1 if port < _LAST_PORT else 8001
    if number == errno.EADDRINUSE:
        return ServingError(
            what=f"Port {port} on {host} is in use.",
            why="Another program answers there.",
            fix=f"Stop it, or choose a different port: --port {other}",
            port=port,
        )
    if number == errno.EACCES:
        return ServingError(
            what=f"Port {port} on {host} may not be used by this user.",
            why="Ports below 1024 belong to the system.",
            fix="Choose a different port: --port 8000",
            port=port,
        )
    return ServingError(
        what=f"{host}:{port} cannot be listened on ({error}).",
        why="The address must be one of this machine's, the port from 0 to 65535.",
        fix="Use for example: --host 127.0.0.1 --port 8000",
        port=port,
    )
