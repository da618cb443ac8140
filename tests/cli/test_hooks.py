"""`penstock hooks` as a user calls it; what is posted is tested in tests/hooks."""

JOB = """
import penstock as ps


@ps.step
def one() -> int:
    return 1


@ps.pipeline
def job():
    return one()
"""
AWAY = {"PENSTOCK_HOOK_HOSTS": "127.0.0.1:9"}


def test_the_life_of_a_hook(shell):
    (shell.folder / "job.py").write_text(JOB)
    added = shell("hooks", "add", "http://127.0.0.1:9/hook", "--event", "run.*", env=AWAY)
    assert "whsec_" in added.out
    assert "whsec_" not in shell("hooks", "list").out + shell("hooks", "list", "--json").out
    shell("run", "job.py", "-q", env=AWAY)
    (hook,) = shell("hooks", "list", "--json").json
    assert (hook["pending"], hook["dead"], hook["delivered"]) == (2, 0, 0)
    assert "refused" in hook["error"].lower() or "127.0.0.1:9" in hook["error"]
    assert "127.0.0.1:9" in shell("hooks", "try", "webhook", code=1, env=AWAY).out
    assert "0 events delivered" in shell("hooks", "deliver", env=AWAY).out
    assert "rests" in shell("hooks", "pause", "webhook").out
    assert "(paused)" in shell("hooks", "list").out
    assert "awake" in shell("hooks", "resume", "webhook").out
    assert "2 events tried again, 0 delivered" in shell("hooks", "retry", "webhook", env=AWAY).out
    shell("hooks", "remove", "webhook")
    assert "There is no hook" in shell("hooks", "list").out


def test_mistakes_are_told(shell):
    refused = shell("hooks", "add", "http://example.org/hook", code=2).err
    assert 'hook-hosts = ["example.org:80"]' in refused
    assert (
        "No event is called" in shell("hooks", "add", "https://e.org/", "--event", "x", code=2).err
    )
    assert "no hook 'other'" in shell("hooks", "remove", "other", code=2).err
    assert "no hook" in shell("hooks", "try", "webhook", code=2).err
