"""Available memory: the least of what machine, container and the process' own limit leave."""

import resource
import subprocess
import sys

from penstock.core import _memory, available_memory


def test_the_container_leaves_less_than_the_machine(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:   4000 kB\n")
    monkeypatch.setattr(_memory, "_PROC", tmp_path)
    monkeypatch.setattr(_memory, "_CGROUP", tmp_path)
    assert available_memory() == 4000 * 1024
    for name, text in (
        ("max", "2048000\n"),
        ("current", "1024000"),
        ("stat", "inactive_file 24000"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    assert available_memory() == 2048000 - 1024000 + 24000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() == 4000 * 1024


def test_what_is_not_known_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(_memory, "_PROC", tmp_path)
    monkeypatch.setattr(_memory, "_CGROUP", tmp_path)
    assert available_memory() is None


def test_the_limit_of_the_process_counts():
    code = "from penstock.core import available_memory; print(available_memory())"
    limit = 1 << 30
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert 0 < int(found.stdout) < limit
