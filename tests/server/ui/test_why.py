"""The page that says why a step ran again."""

import penstock as ps
from penstock.execution import QuietReporter


@ps.step
def double(number: int) -> int:
    return 2 * number


@ps.step
def add(number: int, by: str) -> int:
    return number + len(by)


@ps.pipeline
def job(number: int = 1, by: str = "a"):
    return add(double(number), by)


def test_what_changed_is_shown_with_what_changed_before_it(store, client):
    first, second = (
        ps.run(job, store=store, number=number, reporter=QuietReporter()) for number in (1, 2)
    )
    assert "/why?step=add" in client.get(f"/runs/{second.run_id}").text
    page = client.get(f"/runs/{second.run_id}/why?step=add").text
    assert "Why add was executed" in page
    assert "number (from double)" in page
    assert f'href="/runs/{first.run_id}"' in page
    assert 'href="/runs/' + second.run_id + '/why?step=double"' in page
    answer = client.get(f"/runs/{second.run_id}/why?step=add&format=json").json()["why"]
    assert [change["kind"] for change in answer["changes"]] == ["input", "argument"]


def test_what_was_given_is_inert(store, client):
    evil = "<script>alert(1)</script>"
    for by in ("a", evil):
        result = ps.run(job, store=store, by=by, reporter=QuietReporter())
    page = client.get(f"/runs/{result.run_id}/why?step=add").text
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert client.get(f"/runs/{result.run_id}/why?step=none").status_code == 404
