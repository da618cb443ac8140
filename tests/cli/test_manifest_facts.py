"""penstock show says what a run was made from."""

from typing import Any

import penstock as ps


def test_a_pipeline_and_a_script_are_shown_with_what_they_were_made_from(shell):
    (shell.folder / "job.py").write_text(
        "import penstock as ps\n\n\n@ps.step\ndef one() -> int:\n    return 1\n\n\n"
        "@ps.pipeline\ndef job():\n    return one()\n"
    )
    shell("run", "job.py")
    out = shell("show", "last").out
    assert "source files, not in git; Python 3." in out
    assert "__main__" not in out
    store = f"sqlite:///{shell.folder}/.penstock/penstock.db"
    quiet: dict[str, Any] = {"store": store, "console": False, "system_metrics": False}
    with ps.start_run("by hand", provenance=True, **quiet) as run:
        pass
    assert "packages" in shell("show", run.run_id).out
    with ps.start_run("bare", provenance=False, **quiet) as run:
        pass
    assert "made from" not in shell("show", run.run_id).out
