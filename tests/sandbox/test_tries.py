"""Trials: what a function does in the process of its own, whatever happens there."""

import os
import time

import pytest

from penstock.core import SerializationError
from penstock.sandbox import TrialRequest, try_apart
from penstock.sandbox._process import describe_exit


def prepare(arguments):
    """Nothing to import."""


def act(data, arguments):
    """What the test asks for; executed in the process of the trial."""
    kind = arguments["kind"]
    if kind == "abort":
        os.abort()
    if kind == "exit":
        os._exit(7)
    if kind == "spin":
        while True:
            pass
    if kind == "fill":
        return len(bytearray(4 << 30))
    if kind == "refuse":
        raise SerializationError(what="No.", why="So.", fix="Else.")
    if kind == "raise":
        raise ValueError("bad value")
    if kind == "write":
        try:
            with open(arguments["file"], "w"):  # noqa: PTH123 - the plainest way
                return "written"
        except OSError:
            return "refused"
    return {"size": len(data), "threads": os.environ["OMP_NUM_THREADS"]}


def ask(kind, data=b"", **more):
    request = TrialRequest(__name__, "prepare", "act", {"kind": kind, **more}, 1, 256 << 20)
    return try_apart(request, data)


def test_a_trial_returns_the_result_and_what_it_cost():
    found = ask("size", b"x" * 5_000_000)
    assert (found.outcome, found.result) == ("done", {"size": 5_000_000, "threads": "1"})
    assert found.peak_bytes > 5_000_000


@pytest.mark.parametrize(
    ("kind", "outcome", "reason"),
    [
        ("abort", "ended", "killed by SIGABRT"),
        ("exit", "ended", "exit code 7"),
        ("spin", "slow", "killed by SIGXCPU"),
        ("fill", "memory", ""),
        ("raise", "raised", "ValueError: ValueError: bad value"),
    ],
)
def test_what_happens_in_a_trial_happens_to_nobody_else(kind, outcome, reason):
    started = time.monotonic()
    found = ask(kind)
    assert (found.outcome, found.reason) == (outcome, reason)
    assert found.cpu_s < 2
    assert time.monotonic() - started < 30
    assert ask("size").outcome == "done"


def test_a_refusal_comes_with_its_sentences():
    found = ask("refuse")
    assert (found.outcome, found.error) == (
        "refused",
        {"what": "No.", "why": "So.", "fix": "Else."},
    )


def test_a_trial_writes_nothing(tmp_path):
    found = ask("write", file=str(tmp_path / "file"))
    assert (found.result, list(tmp_path.iterdir())) == ("refused", [])


def test_an_environment_with_passwords_is_not_handed_on(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    from penstock.sandbox._process import _environment

    assert "very-secret" not in str(_environment())


def test_exits_are_told_in_words():
    assert [describe_exit(code) for code in (0, -9, None)] == [
        "exit code 0",
        "killed by SIGKILL",
        "exit code None",
    ]
