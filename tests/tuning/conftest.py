import pytest

from penstock.pipelines import pipeline, step
from penstock.stores import open_store

pytest.importorskip("optuna", reason="needs optuna: pip install 'penstock[search]'")


@pytest.fixture
def store(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as opened:
        yield opened


@step
def bowl(x: float, depth: int, kind: str) -> float:
    return (x - 0.3) ** 2 + abs(depth - 5) / 10 + (kind == "b")


@pipeline
def bowls(x: float = 0.0, depth: int = 3, kind: str = "a") -> float:
    return bowl(x, depth, kind)


@pytest.fixture
def search():
    """A pipeline of a cheap function of three parameters, and its search space."""
    return bowls, {"x": "-1.0..1.0", "depth": "1..9", "kind": "a,b"}
