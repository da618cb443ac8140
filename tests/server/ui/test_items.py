"""Items of maps: counted beside their step, listed in portions on a page of their own."""

import re

import penstock as ps
from penstock.execution import QuietReporter


@ps.step
def numbers(count: int) -> list[int]:
    return list(range(count))


@ps.step
def odd_one_out(number: int) -> int:
    if number % 50 == 49:
        raise ValueError(f"<b>number {number}</b>")
    return number


@ps.pipeline
def job(count: int = 450):
    ps.map(odd_one_out, numbers(count))


def test_a_run_shows_its_items_as_a_strip_and_the_first_that_failed(store, client):
    result = ps.run(job, store=store, reporter=QuietReporter())
    page = client.get(f"/runs/{result.run_id}").text
    assert "450 items" in page
    assert f"/runs/{result.run_id}/items?step=odd_one_out&amp;state=failed" in page
    assert 'aria-label="441 finished, 9 failed"' in page
    cells = re.findall(r'class="cell is-(\w+)"', page)
    assert (len(cells), cells.count("failed")) == (225, 9)
    assert "odd_one_out[49]" in page
    assert "<b>number" not in page
    assert page.count('class="fold step') == 2  # items are no steps of the pipeline
    assert "450 items · failed" in page  # the graph


def test_the_page_of_items_lists_them_in_portions_and_by_state(store, client):
    result = ps.run(job, store=store, reporter=QuietReporter())
    address = f"/runs/{result.run_id}/items?step=odd_one_out"
    page = client.get(address).text
    assert "1 to 200 of 450" in page
    assert "start=200" in page
    last = client.get(f"{address}&start=400").text
    assert "401 to 450 of 450" in last
    failed = client.get(f"{address}&state=failed&format=json").json()
    assert failed["count"] == 9
    assert [item["name"] for item in failed["items"]][:2] == [
        "odd_one_out[49]", "odd_one_out[99]"
    ]  # fmt: skip
    assert client.get(f"/runs/{result.run_id}/log?step=odd_one_out[49]").status_code == 200


def test_a_step_without_items_has_no_such_page(store, client):
    result = ps.run(job, store=store, count=3, reporter=QuietReporter())
    answer = client.get(f"/runs/{result.run_id}/items?step=numbers")
    assert answer.status_code == 404
    assert "has no items" in answer.text
    assert client.get(f"/runs/{result.run_id}/items?step=odd_one_out&start=x").status_code == 400


@ps.step
def publish(found: list[int]) -> int:
    return len(found)


@ps.pipeline
def careful():
    return publish(ps.wait_for_approval(numbers(3), message="Are they <all> there?"))


def test_a_run_that_waits_says_for_what_and_how_to_go_on(store, client):
    result = ps.run(careful, store=store, reporter=QuietReporter())
    page = client.get(f"/runs/{result.run_id}").text
    assert "it waits for approval: Are they &lt;all&gt; there?" in page
    assert f"penstock approve-step {result.run_id} approval" in page
    assert f"penstock run --resume {result.run_id}" in page
    assert 'id="error"' not in page
