"""The page of a pipeline in the form of an orchestrator: the file itself, and nothing executable."""

import html
import re

import pytest
from tests.execution.conftest import project  # noqa: F401 - the fixture

from penstock.exporters import ENGINES, export_run
from penstock.server import create_ui

JOB = """
@ps.step(retries=2, timeout="1m", resources=ps.Resources(memory="2GiB"))
def numbers(count: int) -> list[int]:
    return list(range(count))

@ps.step
def double(number: int) -> int:
    return 2 * number

@ps.pipeline
def job(count: int = 2):
    "Doubles <b>numbers</b>."
    return ps.map(double, numbers(count))
"""


@pytest.fixture
def shown(project):  # noqa: F811
    from litestar.testing import TestClient

    result = project.again(project.load(JOB))
    run = project.store.metadata.runs.get(result.run_id)
    with TestClient(create_ui(hosts=("testserver.local",), store=project.store)) as client:
        yield client, run


@pytest.mark.parametrize("to", ENGINES)
def test_the_file_of_each_engine_is_shown_and_can_be_copied(shown, to):
    client, run = shown
    page = client.get(f"/runs/{run.run_id}/export?to={to}").text
    exported = export_run(run, to=to)
    [text] = re.findall(r'<pre class="text" id="exported">(.*?)</pre>', page, re.DOTALL)
    assert html.unescape(text) == exported.text
    [copied] = re.findall(r'data-copy="([^"]*)" aria-label="Copy the file"', page)
    assert html.unescape(copied) == exported.text
    assert "<b>numbers</b>" not in page
    for note in exported.notes:
        assert html.escape(note, quote=False) in page.replace("&#39;", "'").replace("&#34;", '"')
    answer = client.get(f"/runs/{run.run_id}/export?to={to}&format=json").json()
    assert (answer["text"], answer["notes"]) == (exported.text, list(exported.notes))


def test_a_schedule_and_an_image_are_those_of_the_form(shown):
    client, run = shown
    query = "to=argo&cron=0+3+*+*+*&timezone=Europe/Zurich&image=r/job:1"
    answer = client.get(f"/runs/{run.run_id}/export?{query}&format=json").json()
    options = {"cron": "0 3 * * *", "timezone": "Europe/Zurich", "image": "r/job:1"}
    assert answer["text"] == export_run(run, to="argo", **options).text
    page = html.unescape(client.get(f"/runs/{run.run_id}/export?{query}").text)
    assert "--to argo --cron '0 3 * * *' --timezone Europe/Zurich --image r/job:1 -o" in page
    assert f"/runs/{run.run_id}/export" in client.get(f"/runs/{run.run_id}").text


def test_wrong_values_stay_in_the_form_with_the_reason(shown):
    client, run = shown
    answer = client.get(f"/runs/{run.run_id}/export?to=argo&cron=every+day")
    assert answer.status_code == 200
    assert "The cron expression" in answer.text
    assert 'value="every day"' in answer.text
    assert client.get(f"/runs/{run.run_id}/export?to=cron").status_code == 400
    assert client.get("/runs/nosuchrun/export").status_code == 404
