"""penstock verify, and a promotion that runs the proof its gate asks for."""

import subprocess
import sys
from typing import Any

from penstock.core import Verdict
from penstock.proofs import StepVerdict, Verification


def test_a_pending_proof_is_run_by_promote(world):
    answer = world("run", "job.py", "--proof", "true", "--json")
    [gate] = [
        gate
        for gate in world("models", "fraud@latest", "--json").json[0]["gates"]
        if gate["gate"] == "verified"
    ]
    assert gate["state"] == "pending"
    out = world("promote", "fraud").out
    assert "✓ verified" in out
    assert "fraud@4 is in production." in out
    [proof] = world("show", answer.json["run_id"], "--json").json["proofs"]
    assert proof["verdict"] == "bitwise"


def test_a_proof_is_told_step_by_step_with_its_verdict_as_exit_code(world, monkeypatch):
    steps = (
        StepVerdict("train", Verdict.BITWISE, "executed", "equal", hash_seeds=12),
        StepVerdict("read", Verdict.NOT_EXECUTED, "replayed", "Read from the stored snapshot."),
        StepVerdict(
            "score", Verdict.DIFFERS, "executed", "The [outputs] differ.",
            hash_seeds=1, differences=("row 3 [x]: 1 and 2",), cause="reads the clock [time.time]",
        ),
    )  # fmt: skip
    given: dict[str, Any] = {}

    def verify(run, *, store, reread, hash_seeds):
        given.update(run=run, reread=reread, hash_seeds=hash_seeds)
        return Verification("r1", given["verdict"], steps, notes=("polars [1.0] then 1.1",))

    monkeypatch.setattr("penstock.cli._prove.verify_run", verify)
    given["verdict"] = Verdict.DIFFERS
    answer = world("verify", "last", "--reread", "--hash-seeds", "3", code=1)
    assert (given["reread"], given["hash_seeds"]) == (True, 3)
    for told in ("The [outputs] differ.", "row 3 [x]: 1 and 2", "[time.time]", "polars [1.0]"):
        assert told in answer.out
    assert "Run r1 differs: the run did not return the same result; 1 source replayed" in answer.out
    assert "Executing the recorded run again" in answer.err

    document = world("verify", "last", "--json", code=1).json
    assert document["first_difference"]["step"] == "score"
    given["verdict"] = Verdict.CANNOT_VERIFY
    assert "cannot verify" in world("verify", "last", code=2).out
    given["verdict"] = Verdict.WITHIN_TOLERANCE
    assert "2 executed steps (under 1 to 12 hash seeds)" in world("verify", "last").out


def test_an_unknown_run_is_not_said_to_be_executed(world):
    assert "Executing" not in world("verify", "nope", code=2).err


def test_why_says_what_changed(shell):
    (shell.folder / "job.py").write_text(
        "import penstock as ps\n\nFACTOR = 2\n\n\n@ps.step\ndef double(x: int) -> int:\n"
        "    return FACTOR * x\n\n\n@ps.pipeline\ndef job(x: int = 1) -> int:\n"
        "    return double(x)\n"
    )
    shell("run", "job.py")
    assert "No earlier run of job" in shell("why", "last", "double").out
    text = (shell.folder / "job.py").read_text()
    (shell.folder / "job.py").write_text(text.replace("FACTOR = 2", "FACTOR = 3.5"))
    shell("run", "job.py", "--x", "4")
    out = shell("why", "--last", "double").out
    assert "-FACTOR = 2" in out
    assert "+FACTOR = 3.5" in out
    assert "argument x  1 → 4" in out
    answer = shell("why", "double", "--json").json
    assert {change["kind"] for change in answer["changes"]} == {"code", "argument"}
    for words in (("a", "b", "c"), ("last",), ("--last", "a", "b")):
        assert "needs a run and a step" in shell("why", *words, code=2).err
    assert "has no step 'b'" in shell("why", "last", "b", code=2).err


def test_a_step_is_called_again_on_its_inputs(shell):
    text = (
        "import penstock as ps\n\n\n@ps.step\ndef half(x: int) -> float:\n    return 1 / x\n\n\n"
        "@ps.pipeline\ndef job(x: int = 0) -> float:\n    return half(x)\n"
    )
    (shell.folder / "job.py").write_text(text)
    shell("run", "job.py", code=3)
    answer = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "debug", "last", "half"],
        cwd=shell.folder, env=shell.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 3
    assert "x = 0" in answer.stdout
    assert "ZeroDivisionError" in answer.stderr
    assert "_debug.py" not in answer.stderr  # none of our own frames
    (shell.folder / "job.py").write_text(text.replace("1 / x", "1 / (x or 4)"))
    assert "returned 0.25" in shell("debug", "last", "half").out
    shell("run", "--resume", "last")
    assert "Equal to the recorded output, bit for bit" in shell("debug", "last", "half").out


def test_a_step_is_called_again_under_the_settings_of_its_run(shell):
    (shell.folder / "job.py").write_text(
        "import decimal\nimport penstock as ps\n\n\n@ps.step\ndef third() -> str:\n"
        "    return str(1 / decimal.Decimal(3))\n\n\n"
        "@ps.pipeline\ndef job() -> str:\n    return third()\n"
    )
    started = (
        "import decimal, penstock as ps; decimal.getcontext().prec = 7; "
        "ps.run(ps.load_pipeline('job.py'))"
    )
    subprocess.run(
        [sys.executable, "-c", started],
        cwd=shell.folder, env=shell.environment(), capture_output=True, check=True,
    )  # fmt: skip
    out = shell("debug", "last", "third").out
    assert "returned '0.3333333'" in out
    assert "Equal to the recorded output, bit for bit" in out


def test_items_are_named_and_many_equal_ones_are_one_line(shell):
    (shell.folder / "job.py").write_text(
        "import penstock as ps\n\n\n@ps.step\ndef double(x: int) -> int:\n    return 2 * x\n\n\n"
        "@ps.pipeline\ndef job():\n    ps.map(double, [1, 2], name='few')\n"
        "    ps.map(double, list(range(20)), name='many')\n"
    )
    shell("run", "job.py")
    out = shell("verify", "last", "--hash-seeds", "1").out
    assert "few[0]" in out
    assert "many[0]" not in out
    assert "20 items" in out
    shown = shell("show", "last").out
    assert "few[1]" in shown
    assert "20 items: 20 finished" in shown
