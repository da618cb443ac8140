"""Whatever users write is text in the pages: a corpus of attacks in every field."""

import json
import re
from datetime import timedelta

import pytest

from penstock.core import (
    AlertRecord,
    ApprovalRecord,
    DeploymentEvent,
    DeploymentRecord,
    DeploymentState,
    GateResult,
    GateState,
    LogLine,
    MetricPoint,
    ModelVersionRecord,
    PredictionRecord,
    RunState,
    Stage,
    StepRunRecord,
    StepState,
    new_id,
    now,
)
from penstock.server.ui._markdown import markdown
from penstock.server.ui._render import json_markup

PAYLOADS = [
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>',
    "'><iframe src=javascript:alert(1)>", "<body onload=alert(1)>", "javascript:alert(1)", "<a href=javascript:alert(1)>x</a>",
    "<style>@import 'http://evil'</style>", "<link rel=stylesheet href=//evil>", "<meta http-equiv=refresh content='0;url=//evil'>",
    "<base href=//evil>", "<object data=//evil>", "<embed src=//evil>", "<form action=//evil><input>", "<math><mi xlink:href='javascript:alert(1)'>",
    "{{ 7*7 }}", "{% raw %}", "${alert(1)}", "<!--", "-->", "]]>", "&lt;script&gt;", '" autofocus onfocus=alert(1) x="', "' onmouseover='alert(1)",
    "`onclick=alert(1)`", "<details open ontoggle=alert(1)>", "\u2028alert(1)", "\x00<script>", "<ScRiPt>alert(1)</sCrIpT>", "%3Cscript%3E", "<svg><use href=//evil#x>",
]  # fmt: skip
TAGS = re.compile(
    r"<(?!!doctype)/?([a-z0-9]+)((?:\s+[a-zA-Z:-]+(?:=(?:\"[^\"]*\"|'[^']*'))?)*)\s*/?>",
    re.IGNORECASE,
)
ALLOWED_SCRIPTS = re.compile(
    r'<script type="(?:module" src="/static/[^"]*|application/json" id="[\w-]+)">'
)


def assert_inert(page):
    assert page.count("<script") == len(ALLOWED_SCRIPTS.findall(page))
    for name in (
        "<img",
        "<iframe",
        "<object",
        "<embed",
        "<base",
        "<style",
        "<math",
        "<body onload",
        "<form action=//",
    ):
        assert name not in page.lower()
    for _, attributes in TAGS.findall(page):
        assert not re.search(r"(?:^|\s)on[a-z]+=", re.sub(r'"[^"]*"', '""', attributes))
    assert not re.search(r'(?:href|src|action)="\s*(?:javascript:|//|https?:)', page, re.IGNORECASE)


@pytest.fixture
def attacked(store, fill_runs):
    """One run with the corpus in every field that a user can fill."""
    clean = [payload.replace("\x00", "") for payload in PAYLOADS]
    attack = " ".join(clean)
    run_id = fill_runs(
        store, 1, name=attack, experiment=attack, pipeline=attack, entry=attack, user=attack, error=attack, note=attack,
        params={p: p for p in clean}, tags={p: p for p in clean}, state=RunState.FAILED,
        graph={"nodes": [{"name": p} for p in clean], "edges": [{"from": clean[0], "to": clean[1], "output": clean[2]}]},
        provenance=store.put({"code": {"diff": attack, "files": {p: p for p in clean}}, "environment": {"python": attack, "packages": {p: p for p in clean}}, "hardware": {p: p for p in clean}, "argv": clean, "warnings": clean}).digest,
    )[0]  # fmt: skip
    at = now()
    store.metadata.metrics.log(
        run_id, [MetricPoint(p, float(i), i, at) for p in clean for i in range(3)]
    )
    for position, payload in enumerate(clean):
        value = store.put({"text": payload})
        step = StepRunRecord(new_id(), run_id, payload, position, StepState.FAILED, started_at=at, ended_at=at + timedelta(seconds=1),
                             error=payload, traceback=payload, inputs={payload: value.content_digest}, facts={payload: payload}, key=payload)  # fmt: skip
        store.metadata.steps.finish(step, outputs=[value], logs=[LogLine(at, "stdout", payload)])
        store.metadata.artifacts.log(run_id, payload, value)
    return run_id


def test_every_payload_is_inert_on_every_page_about_a_run(client, attacked):
    pages = [
        "/",
        f"/runs/{attacked}",
        f"/compare?a={attacked}&b={attacked}",
        f"/lineage?node=run:{attacked}&direction=both",
        "/lineage",
    ]
    for path in pages:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert_inert(answer.text)


def test_every_payload_is_inert_on_pages_about_models_and_deployments(store, client):
    clean = [payload.replace("\x00", "") for payload in PAYLOADS]
    attack, at, model = " ".join(clean), now(), store.put({"a": 1})
    metadata = store.metadata
    gates = tuple(GateResult(p, GateState.FAILED, p) for p in clean)
    version = ModelVersionRecord("m", 0, Stage.NONE, None, attack, model.digest, model.content_digest, at, metrics=dict.fromkeys(clean, 1.0),
                                 signature={"target": attack, "inputs": [{"name": p, "kind": p, "levels": [p]} for p in clean]},
                                 gates=gates, card=store.put(attack).digest, note=attack)  # fmt: skip
    metadata.models.create_version(version, actor=attack)
    metadata.models.add_approval(ApprovalRecord("m", 1, attack, True, attack, at))
    metadata.deployments.save(
        DeploymentRecord("d", "m", DeploymentState.LIVE, {1: 1.0}, 1, at),
        expected_generation=None,
        event=DeploymentEvent("d", attack, attack, at),
    )
    metadata.deployments.save_alert(AlertRecord(new_id(), "d", "m", attack, attack, attack, at, at))
    prediction = PredictionRecord(
        new_id(),
        "d",
        "m",
        1,
        at,
        {p: p for p in clean},
        attack,
        warnings=tuple(clean),
        error=attack,
    )
    metadata.predictions.add([prediction])
    for path in (
        "/models",
        "/models/m",
        "/deployments",
        "/deployments/d",
        f"/predictions/{prediction.prediction_id}",
        "/lineage?node=m@1&direction=both",
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert_inert(answer.text)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_payloads_in_the_address_are_inert(client, payload):
    for path, name in (("/runs", "filter"), ("/runs", "experiment"), ("/runs", "col"), ("/runs", "sort"), ("/runs", "page"),
                       ("/lineage", "node"), ("/lineage", "direction"), ("/compare", "a")):  # fmt: skip
        answer = client.get(path, params={name: payload})
        assert answer.status_code in {200, 400, 404}
        assert_inert(answer.text)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_can_do_nothing(payload):
    for text in (
        payload,
        f"# {payload}",
        f"[{payload}]({payload})",
        f"![{payload}](http://evil/x.png)",
        f"|{payload}|\n|-|\n|{payload}|",
    ):
        html = str(markdown(text))
        assert_inert(html.replace('href="http', 'data-web="http'))
        assert "<img" not in html


def test_markdown_links_only_to_the_web():
    assert 'href="https://example.org"' in markdown("[x](https://example.org)")
    for scheme in (
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc",
    ):
        assert "href" not in markdown(f"[x]({scheme})")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_json_inside_a_page_cannot_end_its_element(payload):
    text = str(json_markup({"name": payload}))
    assert "<" not in text
    assert ">" not in text
    assert json.loads(text) == {"name": payload}
