"""`penstock webhooks` as a user calls it; what is posted is tested in tests/hooks."""

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
    added = shell("webhooks", "add", "http://127.0.0.1:9/hook", "--event", "run.*", env=AWAY)
    assert "whsec_" in added.out
    assert "whsec_" not in shell("webhooks", "list").out + shell("webhooks", "list", "--json").out
    shell("run", "job.py", "-q", env=AWAY)
    (hook,) = shell("webhooks", "list", "--json").json
    assert (hook["pending"], hook["dead"], hook["delivered"]) == (2, 0, 0)
    assert "refused" in hook["error"].lower() or "127.0.0.1:9" in hook["error"]
    assert "127.0.0.1:9" in shell("webhooks", "test", "webhook", code=1, env=AWAY).out
    assert "0 events delivered" in shell("webhooks", "deliver", env=AWAY).out
    assert "is paused" in shell("webhooks", "pause", "webhook").out
    assert "(paused)" in shell("webhooks", "list").out
    assert "is active" in shell("webhooks", "resume", "webhook").out
    assert "2 events retried, 0 delivered" in shell("webhooks", "retry", "webhook", env=AWAY).out
    shell("webhooks", "remove", "webhook")
    assert "No webhooks." in shell("webhooks", "list").out


def test_mistakes_are_told(shell):
    refused = shell("webhooks", "add", "http://example.org/hook", code=2).err
    assert 'hook-hosts = ["example.org:80"]' in refused
    assert (
        "No event matches" in shell("webhooks", "add", "https://e.org/", "--event", "x", code=2).err
    )
    assert "no webhook 'other'" in shell("webhooks", "remove", "other", code=2).err
    assert "no webhook" in shell("webhooks", "test", "webhook", code=2).err
