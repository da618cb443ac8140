import re
from html.parser import HTMLParser

import pytest

from penstock.core import RunState
from penstock.serving._presence import Presence

VOID = {"meta", "link", "input", "img", "br", "hr", "rect", "line", "circle", "path", "use"}


class Checker(HTMLParser):
    """Collects ids and open elements, so that a page's structure can be judged."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.scripts, self.styled, self.handlers = [], [], [], 0, []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        self.styled += "style" in given
        self.handlers += [name for name in given if name.startswith("on")]
        if tag == "script":
            self.scripts.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def paths(filled):
    return [
        "/", f"/runs/{filled.last}", f"/runs/{filled.failed}", f"/runs/{filled.running}", f"/runs/{filled.wide}",
        f"/runs/{filled.last}/log?step=train", f"/runs/{filled.last}/why?step=train", f"/compare?a={filled.last}&b={filled.failed}", "/models", "/models?filter=version+>+0", "/models/big-tips",
        "/models/big-tips?version=1", "/experiments", f"/artifacts/{filled.records['evaluate'].digest}", "/models/churn", "/deployments", "/deployments/big-tips", "/lineage", "/schedules", "/data", "/data/rides", "/data/rides?before=1&key=trip_start",
        "/lineage?node=version:big-tips@2", f"/lineage?node=run:{filled.last}&direction=both", f"/predictions/{filled.prediction}",
    ]  # fmt: skip


def test_every_page_is_well_formed_and_without_inline_code(site, paths):
    for path in paths:
        answer = site.get(path)
        assert answer.status_code == 200, path
        checker = Checker()
        checker.feed(answer.text)
        assert checker.open == [], path
        assert len(checker.ids) == len(set(checker.ids)), path
        assert checker.styled == 0, path
        assert checker.handlers == [], path
        assert all("src" in s or s["type"] == "application/json" for s in checker.scripts), path


def test_every_page_has_a_json_twin(site, paths):
    for path in paths:
        answer = site.get(path + ("&" if "?" in path else "?") + "format=json")
        assert answer.headers["content-type"] == "application/json", path
        assert isinstance(answer.json(), dict), path


def test_no_page_names_another_host(site, paths):
    for path in paths:
        page = site.get(path).text
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page), path


def test_every_link_of_every_page_leads_somewhere(site, paths):
    seen = set()
    for path in paths:
        for link in re.findall(r'href="(/[^"#]*)', site.get(path).text):
            seen.add(link.replace("&amp;", "&"))
    assert len(seen) > 100
    for link in sorted(seen):
        assert site.get(link).status_code == 200, link


def test_a_run_shows_graph_steps_and_commands(site, filled):
    page = site.get(f"/runs/{filled.last}").text
    assert page.count('class="node is-') == 6
    assert f"penstock verify {filled.last}" in page
    assert "penstock run big_tips.py:big_tips --cutoff 2016-06-30" in page
    assert 'href="#step-train"' in page
    assert 'id="step-train"' in page
    assert "fold 5: loss 0.3500" in page
    assert 'class="spark"' in page
    assert "HistGradientBoostingClassifier())" in page  # the diff
    assert "AMD EPYC 7763" in page
    assert "bit for bit" in page
    assert "big-tips@3" in page


def test_a_failed_run_shows_error_traceback_and_resume(site, filled):
    page = site.get(f"/runs/{filled.failed}").text
    assert "Step train failed" in page
    assert "raise ValueError(f&#34;learning_rate is {rate}&#34;)" in page
    assert f"penstock run --resume {filled.failed}" in page
    assert "penstock verify" not in page


def test_a_run_shows_its_evaluation(site, filled):
    page = site.get(f"/runs/{filled.last}").text
    assert "Metrics on the test rows" in page
    assert "By company" in page
    assert "demographic parity difference" in page
    assert f"/reports/{filled.records['evaluate'].digest}/figures" in page.replace("%3A", ":")


def test_forty_steps_are_drawn(site, filled):
    assert site.get(f"/runs/{filled.wide}").text.count('class="node is-finished"') == 40


def test_a_run_id_may_be_shortened(site, filled):
    assert site.get(f"/runs/{filled.last[:-1]}?format=json").json()["run"]["run_id"] == filled.last


def test_a_log_can_be_read_whole(site, filled):
    lines = site.get(f"/runs/{filled.last}/log?step=train&format=json").json()["lines"]
    assert [line["text"] for line in lines][:2] == ["fold 0: loss 0.6000", "fold 1: loss 0.5500"]
    wrong = site.get(f"/runs/{filled.last}/log?step=trian")
    assert wrong.status_code == 404
    assert "Did you mean &#39;train&#39;?" in wrong.text


def test_two_runs_are_compared(site, filled):
    page = site.get(f"/compare?run={filled.last}&run={filled.failed}").text
    assert '<tr class="differs"><th>learning_rate</th>' in page
    assert "other result" in page
    assert "<tr><th>cutoff</th>" in page


def test_comparing_needs_two_runs(site, filled):
    answer = site.get(f"/compare?run={filled.last}")
    assert answer.status_code == 400
    assert "1 runs were chosen" in answer.text


def test_models_are_listed_with_champion_and_gates(site):
    page = site.get("/models").text
    assert "v2</span>" in page
    assert "big-tips</a>" in page
    assert "churn</a>" in page
    assert "1 failed" in page


def test_versions_are_found_by_a_filter(site):
    page = site.get("/models?filter=stage+=+'production'").text
    assert re.findall(r">(big-tips@\d+)<", page)
    assert "No version matches" in site.get("/models?filter=version+>+99").text
    wrong = site.get("/models?filter=colour+=+1")
    assert wrong.status_code == 400
    assert "^" in wrong.text


def test_a_model_shows_gates_with_reasons_history_and_card(site):
    page = site.get("/models/big-tips?version=3").text
    assert "leakage == none" in page
    assert "needs the finished run" in page
    assert "Better on the same rows by 0.011 roc_auc." in page
    assert "penstock promote big-tips@3" in page
    assert "penstock rollback big-tips" in page
    assert "vs. champion" in page
    assert "Intended use" in page  # the model card
    approved = site.get("/models/big-tips?version=2").text
    assert "by lena" in approved
    assert "no company lost recall" in approved
    assert "Only for rides paid by card." in approved


def test_an_unknown_version_is_told(site):
    answer = site.get("/models/big-tips?version=9")
    assert answer.status_code == 404
    assert "Its versions are 1 to 3." in answer.text


def test_a_deployment_shows_weights_rollout_drift_and_alerts(site):
    page = site.get("/deployments/big-tips").text
    assert "75\u202f%" in page
    assert '<li class="now">' in page
    assert '<li class="done">' in page
    assert "Version 3 now gets 25 %." in page
    assert "Moved by" in page  # a drifted column's reason
    assert "Performance on labelled rows" in page
    assert ">resolved</span>" in page
    assert "/predictions/" in page


def test_a_deployment_without_a_server_is_not_called_live(site, filled):
    for url in ("/deployments", "/deployments/big-tips"):
        page = site.get(url).text
        assert "no server is running</span>" in page
        assert "last prediction <time" in page
        assert "chip is-live" not in page
    presence = Presence(filled.store, ["big-tips"])
    presence.renew()
    assert "no server is running" not in site.get("/deployments/big-tips").text
    presence.end()


def test_deployments_are_listed_with_what_is_wrong(site):
    page = site.get("/deployments").text
    assert "v2 75\u202f% · v3 25\u202f%" in page
    assert " open</span>" in page
    assert ">drifted</span>" in page


def test_lineage_goes_back_to_the_source(site):
    page = site.get("/lineage?node=big-tips@2").text
    assert 'class="node kind-source"' in page
    assert 'class="node kind-version here"' in page
    assert ">ingest</text>" in page
    data = site.get("/lineage?node=big-tips@2&format=json").json()
    assert data["node"] == "version:big-tips@2"
    assert any(edge["source"] == "source:rides" for edge in data["edges"])


def test_lineage_goes_on_to_what_came_of_it(site):
    page = site.get("/lineage?node=source:rides&direction=down").text
    assert 'class="node kind-version"' in page


def test_lineage_of_nothing_says_so(site):
    unknown = site.get("/lineage?node=source:none")
    assert (unknown.status_code, "is not recorded" in unknown.text) == (404, True)
    assert site.get("/lineage?node=big-tips@2&direction=sideways").status_code == 400


def test_a_prediction_is_told_back_to_rows_code_and_environment(site, filled):
    page = site.get(f"/predictions/{filled.prediction}").text
    kinds = re.findall(r'<li class="kind-(\w+)">', page)
    assert kinds == ["prediction", "version", "run", "artifact", "source", "code", "environment"]
    assert "commit 9f2c41d07ab3" in page
    assert "Python 3.11.7" in page
    data = site.get(f"/predictions/{filled.prediction}?format=json").json()
    assert data["lineage"]["sources"][0]["rows"] == 1500


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/models/big-tip", "Did you mean &#39;big-tips&#39;?"), ("/deployments/none", "none"), ("/predictions/none", "none"),
        ("/runs/zzz", "zzz"), ("/elsewhere", "There is no page /elsewhere."),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_a_readable_404(site, path, told):
    answer = site.get(path)
    assert answer.status_code == 404
    assert told in answer.text
    assert "Traceback" not in answer.text
    twin = site.get(path + "?format=json")
    assert (twin.status_code, set(twin.json()["error"])) == (404, {"what", "why", "fix"})


def test_a_page_that_fails_says_so_readably(site, monkeypatch, filled):
    def broken(*_args, **_more):
        raise RuntimeError("disk <gone>")

    monkeypatch.setattr(filled.metadata.models, "list", broken)
    answer = site.get("/models")
    assert answer.status_code == 500
    assert "RuntimeError: disk &lt;gone&gt;" in answer.text


def test_health_answers_with_the_change_counter(site, filled):
    answer = site.get("/health").json()
    assert answer == {"status": "ok", "changes": filled.metadata.settings.change_counter()}


def test_a_killed_process_shows_as_a_killed_run(store, client, fill_runs):
    run_id = fill_runs(store, 1, state=RunState.RUNNING, pid=2**22 + 1, host_here=True)[0]
    assert client.get(f"/runs/{run_id}?format=json").json()["run"]["state"] == "killed"
