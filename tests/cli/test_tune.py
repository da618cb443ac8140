"""penstock tune and studies, as a user calls them."""

import pytest

pytest.importorskip("optuna", reason="needs optuna: pip install 'penstock[search]'")
JOB = """
import penstock as ps


@ps.step
def bowl(x: float, depth: int) -> float:
    ps.log_metric("loss", (x - 0.3) ** 2 + depth)
    return x


@ps.step(effect=True)
def publish(x: float) -> str:
    open("published.txt", "a").write(f"{x}\\n")
    return "done"


@ps.pipeline
def job(x: float = 0.0, depth: int = 1):
    return publish(bowl(x, depth))
"""


def test_a_search_is_started_resumed_listed_and_its_best_published(shell):
    (shell.folder / "job.py").write_text(JOB)
    answer = shell("tune", "job.py", "--search", "x=0..1", "depth=1..3", "--metric", "loss:min",
                   "--trials", 4)  # fmt: skip
    assert len(answer.err.splitlines()) == 4
    assert "Best: trial" in answer.out
    assert not (shell.folder / "published.txt").exists()
    more = shell("tune", "--resume", "job", "--trials", 6, "--register", "--json").json
    assert len(more["trials"]) == 6
    best = more["best"][0]["params"]["x"]
    assert (shell.folder / "published.txt").read_text() == f"{best}\n"
    listed = shell("studies", "list", "--json").json
    assert [each["name"] for each in listed] == ["job"]
    shown = shell("studies", "show", "last")
    assert "Importance" in shown.out
    wrong = shell("tune", "job.py", "--search", "dept=1..3", "--metric", "loss:min", "--trials",
                  1, code=2)  # fmt: skip
    assert "depth" in wrong.err
