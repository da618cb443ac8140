"""An isolated process really tries: network, files, other processes, signals; what it needs still works."""

import json
import subprocess
import sys

import pytest

from penstock.sandbox import why_no_isolation

PROGRAM = """
import json, os, socket, subprocess, sys, threading
from pathlib import Path
from penstock.sandbox import isolate

room, outside = Path(sys.argv[1]), Path(sys.argv[2])
parent, file = os.getppid(), outside / "file"
only = [Path(sys.argv[3])] if len(sys.argv) > 3 else None
isolate(room, only)
tries = {
    "write in the room": lambda: (room / "a").write_text("x"),
    "write in it again": lambda: (room / "a").write_text("y"),
    "make a folder in it": lambda: (room / "d").mkdir(),
    "rename in it": lambda: (room / "a").rename(room / "d" / "b"),
    "delete in it": lambda: (room / "d" / "b").unlink(),
    "write to null": lambda: Path("/dev/null").write_text("x"),
    "pair of sockets": socket.socketpair,
    "thread": lambda: threading.Thread(target=int).start(),
    "read outside": file.read_text,
    "write outside": lambda: file.write_text("changed"),
    "append outside": lambda: file.open("a").write("more"),
    "new file outside": lambda: (outside / "new").write_text("x"),
    "delete outside": file.unlink,
    "folder outside": lambda: (outside / "d").mkdir(),
    "link outside": lambda: os.symlink("/etc", outside / "s"),
    "hard link into the room": lambda: os.link(file, room / "l"),
    "rename into the room": lambda: os.rename(file, room / "f"),
    "rename over it": lambda: os.rename(room / "d", outside / "e"),
    "empty by reading": lambda: os.open(file, os.O_RDONLY | os.O_TRUNC),
    "truncate": lambda: os.truncate(file, 0),
    "change its mode": lambda: os.chmod(file, 0),
    "change its owner": lambda: os.chown(file, 1, 1),
    "change its time": lambda: os.utime(file, (1, 1)),
    "attribute": lambda: os.setxattr(file, "user.a", b"x"),
    "TCP": socket.socket,
    "UDP": lambda: socket.socket(type=socket.SOCK_DGRAM),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "name lookup": lambda: socket.getaddrinfo("example.org", 80),
    "fork": os.fork,
    "program": lambda: subprocess.run(["true"]),
    "become a program": lambda: os.execv("/bin/true", ["true"]),
    "signal the parent": lambda: os.kill(parent, 0),
    "signal everyone": lambda: os.kill(-1, 0),
    "read the parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb").read(1),
}
done = []
for name, attempt in tries.items():
    try:
        attempt()
    except OSError:
        continue
    done.append(name)
print(json.dumps(done))
"""
NEEDED = [
    "write in the room",
    "write in it again",
    "make a folder in it",
    "rename in it",
    "delete in it",
    "write to null",
    "pair of sockets",
    "thread",
]
pytestmark = pytest.mark.skipif(
    why_no_isolation() is not None, reason=str(why_no_isolation() or "")
)


def attempts(tmp_path, *more):
    (tmp_path / "room").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("as it was")
    command = [sys.executable, "-c", PROGRAM, tmp_path / "room", tmp_path / "outside", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "outside" / "file").read_text() == "as it was"
    assert [each.name for each in (tmp_path / "outside").iterdir()] == ["file"]
    return json.loads(done.stdout)


def test_an_isolated_process_writes_in_its_room_alone_and_has_no_network(tmp_path):
    assert attempts(tmp_path) == [*NEEDED, "read outside"]


def test_it_reads_nothing_but_what_it_is_given(tmp_path):
    assert attempts(tmp_path, sys.prefix) == NEEDED


def test_libraries_compute_in_an_isolated_process():
    program = (
        "from penstock.sandbox import isolate; isolate(None)\n"
        "import numpy as np; from sklearn.ensemble import RandomForestClassifier\n"
        "rows = np.random.default_rng(0).normal(size=(50, 3))\n"
        "print(RandomForestClassifier(3, n_jobs=2).fit(rows, rows[:, 0] > 0).predict(rows).sum())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 0


def test_an_abort_ends_the_isolated_process():
    program = "import os; from penstock.sandbox import isolate; isolate(None); os.abort()"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == -6
