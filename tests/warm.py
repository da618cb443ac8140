"""`penstock` as a command whose libraries are loaded already: the same words, folder, streams and code.

Half of a command's time is imports, and tests start thousands of commands. The file made here stands
for `penstock` on the PATH: it hands its words and streams to `tests.warm_server`, which forks.
What is proved about starting from nothing starts a process of its own instead: README.md,
`tests/cli/test_main.py`, `tests/cli/test_entry.py`, and whatever calls ``sys.executable``.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

# A process of its own is needed where libraries read the environment as they are loaded.
ANY = re.compile(
    "PENSTOCK_.*|AWS_.*|NO_COLOR|LOGNAME|PATH|PYTHONUNBUFFERED|PYTEST_.*|MPL.*|_|PWD|OLDPWD|SHLVL"
)

# Only modules of the interpreter itself, and no `site`: this is started for each command.
CLIENT = """#!{python} -ISB
import _signal, _socket, posix, sys
import _json

def text(value):
    if isinstance(value, dict):
        return "{{" + ",".join(text(k) + ":" + text(v) for k, v in value.items()) + "}}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return _json.encode_basestring_ascii(value)

def number():
    data = b""
    while len(data) < 4:
        part = server.recv(4 - len(data))
        if not part:
            posix._exit(97)
        data += part
    return int.from_bytes(data, "little", signed=True)

decode = lambda name: name.decode("utf-8", "surrogateescape")
names = {{decode(k): decode(v) for k, v in posix.environ.items()}}
request = text({{"words": sys.argv[1:], "folder": posix.getcwd(), "environment": names}}).encode()
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect({place!r})
files = b"".join(n.to_bytes(4, "little") for n in (0, 1, 2))
server.sendmsg([len(request).to_bytes(4, "little")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
posix_sent = 0
while posix_sent < len(request):
    posix_sent += server.send(request[posix_sent:])
pid = number()
for each in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    _signal.signal(each, lambda given, frame: posix.kill(pid, given))
code = number()
if code < 0:
    if code != -9:
        _signal.signal(-code, _signal.SIG_DFL)
    posix.kill(posix.getpid(), -code)
posix._exit(code)
"""

_COLD = [sys.executable, "-m", "penstock.cli"]
_servers: dict[int, tuple[subprocess.Popen[bytes], Path, dict[str, str]]] = {}


def command(environment: Mapping[str, str]) -> list[str]:
    """Return the start of a command's words; Python's if only a process of its own can have the environment."""
    if not hasattr(os, "pidfd_open") or os.environ.get("PENSTOCK_COLD"):
        return _COLD
    process, client, started = _servers.get(os.getpid()) or _start(environment)
    assert process.poll() is None, "the process of loaded commands has ended"
    other = {
        name
        for name in started.keys() | environment.keys()
        if started.get(name) != environment.get(name)
    }
    return [str(client)] if all(map(ANY.fullmatch, other)) else _COLD


def folder(environment: Mapping[str, str]) -> Path | None:
    """Return the folder for the PATH in which `penstock` is such a command; None if there is none."""
    (first, *rest) = command(environment)
    return None if rest else Path(first).parent


def used() -> float:
    """Return the processor time of the commands that have ended, and of their server."""
    if os.getpid() not in _servers:
        return 0.0
    stat = Path(f"/proc/{_servers[os.getpid()][0].pid}/stat").read_text()
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")


def _start(environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], Path, dict[str, str]]:
    kept = {k: v for k, v in environment.items() if not k.startswith("PENSTOCK_")}
    room = Path(tempfile.mkdtemp(prefix="penstock-warm-"))
    place, client = room / "socket", room / "penstock"
    client.write_text(CLIENT.format(python=sys.executable, place=str(place)))
    client.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-P", Path(__file__).with_name("warm_server.py"), place],
        env={**kept, "PYTHONHASHSEED": "0"},
        stdin=subprocess.PIPE,  # closed when this process ends, however it ends
        cwd=room,
    )
    while not place.exists():  # a test that waits for too long is ended by pytest's own limit
        assert process.poll() is None, "the process of loaded commands did not start"
        time.sleep(0.05)
    _servers[os.getpid()] = process, client, kept
    atexit.register(_end, process, room)
    return _servers[os.getpid()]


def _end(process: subprocess.Popen[bytes], room: Path) -> None:
    if process.stdin:
        process.stdin.close()
    process.wait(30)
    shutil.rmtree(room, ignore_errors=True)
