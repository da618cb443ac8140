import base64

import plotly.graph_objects as go
import pytest

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_a_reports_figures_are_given_as_json(site, filled):
    figures = site.get(f"/reports/{filled.records['evaluate'].digest}/figures").json()
    assert {"roc", "calibration", "confusion"} <= figures.keys()
    assert "template" not in figures["roc"]["layout"]
    drift = site.get("/deployments/big-tips?format=json").json()["reports"][0]["artifact"]
    assert site.get(f"/reports/{drift}/figures").json()


def test_what_has_no_figures_is_a_404(site, filled):
    assert site.get(f"/reports/{filled.manifest.digest}/figures").status_code == 404
    assert site.get("/reports/sha256:none/figures").status_code == 404


def test_logged_figures_and_pictures_are_shown(store, client, fill_runs):
    run_id = fill_runs(store, 1)[0]
    figure, picture = store.put(go.Figure(go.Bar(y=[1, 2]))), store.put(PIXEL)
    store.metadata.artifacts.log(run_id, "bars", figure)
    store.metadata.artifacts.log(run_id, "dot.png", picture)
    page = client.get(f"/runs/{run_id}").text.replace("%3A", ":")
    assert f'data-chart-src="/artifacts/{figure.digest}/figure"' in page
    assert f'src="/artifacts/{picture.digest}/image"' in page
    assert client.get(f"/artifacts/{figure.digest}/figure").json()["data"][0]["type"] == "bar"
    assert client.get(f"/artifacts/{picture.digest}/image").headers["content-type"] == "image/png"


@pytest.mark.parametrize("data", [b"<svg onload=alert(1)>", b"<html>", b""])
def test_only_real_pictures_are_served(store, client, data):
    digest = store.put(data).digest
    assert client.get(f"/artifacts/{digest}/image").status_code == 404


class Odd:
    """A type that only a pickle can keep."""

    def __init__(self):
        self.inside = {1: {2}}

    def figures(self):
        raise AssertionError("loaded")


def test_what_could_run_code_is_never_loaded(store, client, monkeypatch):
    from dataclasses import replace

    record = replace(store.put({"a": 1}), unsafe=True)
    monkeypatch.setattr(store.metadata.artifacts, "get", lambda _digest: record)
    answer = client.get(f"/reports/{record.digest}/figures")
    assert answer.status_code == 422
    assert "can run code" in answer.text
