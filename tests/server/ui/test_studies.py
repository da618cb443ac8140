"""The pages of studies: listed, drawn, with links to the trials' runs."""

import pytest

from penstock.pipelines import pipeline, step
from penstock.tuning import tune

pytest.importorskip("optuna", reason="needs optuna: pip install 'penstock[search]'")


@step
def moody(x: float, kind: str) -> dict[str, float]:
    if x > 0.9:
        raise ValueError("<b>too far</b>")
    return {"loss": (x - 0.3) ** 2 + (kind == "b"), "cost": x}


@pipeline
def searched(x: float = 0.0, kind: str = "a") -> dict[str, float]:
    return moody(x, kind)


def study_in(store, **options):
    return tune(
        searched, search={"x": [0.1, 0.4, 0.95], "kind": "a,b"}, sampler="grid", trials=6,
        quiet=True, store=store, **options,
    )  # fmt: skip


def test_no_study_says_how_to_start_one(client):
    assert "penstock tune FILE.py" in client.get("/studies").text


def test_a_study_is_listed_and_shown_with_its_charts_and_failures(client, store):
    study = study_in(store, metric="loss:min")
    assert f'href="/studies/{study.study_id}"' in client.get("/studies").text
    page = client.get(f"/studies/{study.study_id}").text
    for title in ("History of loss", "Parameter importance", "Parallel coordinates", "Slice: kind"):
        assert title in page
    assert page.count('href="/runs/') >= 6
    assert "&lt;b&gt;too far&lt;/b&gt;" in page
    twin = client.get(f"/studies/{study.study_id}?format=json").json()
    assert twin["trial_counts"]["failed"] == 2
    assert twin["best"][0]["params"] == {"x": 0.4, "kind": "a"}


def test_several_objectives_are_drawn_as_a_front(client, store):
    study = study_in(store, metric=["loss:min", "cost:min"])
    page = client.get(f"/studies/{study.study_id}").text
    assert "Pareto front" in page
    assert page.count('<span class="tag">front</span>') == len(study.pareto_front)
