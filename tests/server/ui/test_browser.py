"""The pages in a real browser: what scripts add, and that nothing leaves this machine."""

import os
import shutil
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from penstock.tracking import start_run

pytestmark = pytest.mark.services
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
ATTACK = "<img src=x onerror=document.title='hit'>\"'><script>document.title='hit'</script>"


@pytest.fixture(scope="module")
def filled(fill_store):
    return fill_store()


@pytest.fixture(scope="module")
def address(filled):
    import uvicorn

    from penstock.http import listen
    from penstock.server import create_ui

    filled.metadata.runs.set_tags(filled.last, {"attack": ATTACK})
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_ui(store=filled.store), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for _ in range(100):
        try:
            httpx.get(url + "/health")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    yield url
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="module")
def browser():
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and CI must test the pages in a browser")
        pytest.skip("chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, address):
    """A page that fails the test if it asks another host or a script complains."""
    context = browser.new_context(viewport={"width": 1300, "height": 850})
    opened = context.new_page()
    foreign, complaints = [], []
    opened.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:", "blob:")) else foreign.append(r.url),
    )
    opened.on(
        "console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert foreign == []
    assert complaints == []


def rows(page):
    return [row.inner_text() for row in page.locator("#runs tbody tr").all()]


def test_a_click_on_a_head_sorts_the_runs(page, address):
    page.goto(address)
    before = rows(page)
    page.click("#runs thead >> text=roc_auc")
    page.wait_for_url("**/runs?sort=metrics.roc_auc&dir=desc")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("roc_auc")
    page.click("#runs thead >> text=roc_auc")
    page.wait_for_url("**dir=asc**")
    assert sorted(rows(page)) != before
    assert len(rows(page)) == len(before)


def test_a_filter_a_run_and_its_graph(page, address, filled):
    page.goto(address)
    page.fill("input[name=filter]", "metrics.roc_auc > 0.7 and params.learning_rate = 0.05")
    page.press("input[name=filter]", "Enter")
    page.wait_for_url("**filter=**")
    assert 0 < len(rows(page)) < 32
    page.goto(f"{address}/runs/{filled.last}")
    page.click(".graph a:has-text('train')")
    page.locator("#step-train pre.log").wait_for(state="visible")
    assert "fold 5" in page.locator("#step-train pre.log").inner_text()


def test_charts_and_figures_are_drawn(page, address, filled):
    page.goto(f"{address}/runs/{filled.last}")
    page.locator("[data-figures]").scroll_into_view_if_needed()
    page.locator("[data-chart=roc]").wait_for(state="attached")
    for name in ("metric-1", "roc", "confusion"):
        page.locator(f"[data-chart='{name}']").scroll_into_view_if_needed()
        page.locator(f"[data-chart='{name}'][data-drawn]").wait_for(
            state="attached", timeout=20_000
        )
        assert page.locator(f"[data-chart='{name}'] svg.main-svg").count() > 0


def test_a_figure_of_many_rows_is_as_high_as_the_rows_need(page, address, filled):
    import plotly.graph_objects as go

    heights = []
    for height in (300, 800):
        with start_run(store=filled.store) as run:
            figure = go.Figure(go.Scatter(y=[1]), layout={"height": height})
            digest = run.log_figure("rows", figure)
        page.goto(f"{address}/artifacts/{digest}?name=rows&run={run.run_id}")
        page.locator("[data-drawn]").wait_for(state="attached", timeout=20_000)
        heights.append(page.locator("[data-drawn] .plot").bounding_box()["height"])
    assert heights[0] < heights[1] == 600


def test_drift_is_drawn_on_a_deployment(page, address):
    page.goto(f"{address}/deployments/big-tips")
    page.locator("[data-figures]").scroll_into_view_if_needed()
    first = page.locator("[data-figures] [data-chart]").first
    first.wait_for(state="attached", timeout=20_000)
    first.scroll_into_view_if_needed()
    drawn = page.locator("[data-figures] [data-drawn]")
    drawn.first.wait_for(state="attached", timeout=20_000)
    assert drawn.first.locator("svg.main-svg").count() > 0


def test_small_tables_sort_and_filter_by_script(page, address, filled):
    page.goto(f"{address}/runs/{filled.last}")
    page.click("#metrics th button:has-text('Last')")
    values = [
        float(text) for text in page.locator("#metrics tbody td:nth-child(2)").all_inner_texts()
    ]
    assert values == sorted(values, reverse=True)
    page.click("details[data-keep=environment] summary")
    page.fill("details[data-keep=environment] .table-filter", "polars")
    assert page.locator("details[data-keep=environment] tbody tr:visible").count() == 1


def test_two_ticked_runs_can_be_compared(page, address):
    page.goto(f"{address}/?state=finished")
    assert page.locator("[data-needs]").is_disabled()
    for box in page.locator("#runs input[type=checkbox]").all()[:2]:
        box.check()
    page.click("[data-needs]")
    page.wait_for_url("**/compare?**")
    assert page.locator("h1").inner_text() == "Compare runs"
    for run_id in page.url.split("run=")[1:]:
        assert run_id.strip("&") in page.inner_text("main")


def test_a_live_page_follows_the_run(page, address, filled):
    page.goto(f"{address}/runs/{filled.running}")
    page.click("details[data-keep=step-train] summary")
    before = page.locator("details[data-keep=step-train] .took").inner_text()
    page.locator(f"details[data-keep=step-train] .took:not(:has-text('{before}'))").wait_for(
        timeout=15_000
    )
    assert page.locator("details[data-keep=step-train]").get_attribute("open") is not None


def test_a_slider_leads_through_a_series(page, address, filled):
    with start_run("series", store=filled.store) as run:
        for step in range(4):
            run.log_image("sample", np.full((8, 8), step / 4), step=step)
            run.log_histogram("weights", np.arange(20) * (step + 1), step=step)
    page.goto(f"{address}/runs/{run.run_id}#media")
    sample = page.locator("figure", has_text="sample").first
    assert sample.locator("img:visible").get_attribute("alt") == "sample@3"
    sample.locator("input").fill("2")
    assert sample.locator("output").inner_text() == "step 1"
    picture = sample.locator("img:visible")
    assert picture.get_attribute("alt") == "sample@1"
    page.wait_for_function("e => e.complete && e.naturalWidth === 8", arg=picture.element_handle())
    page.locator("[data-chart=over-2] .heatmaplayer image").wait_for()
    weights = page.locator("figure", has_text="weights").last
    weights.locator("input").fill("1")  # a chart that was hidden is drawn when it is seen
    weights.locator("[data-chart=media-2-1] .bars path").first.wait_for()


def test_an_attack_in_a_tag_stays_text(page, address, filled):
    page.goto(f"{address}/runs/{filled.last}")
    assert page.locator('[title*="onerror=document"]').count() == 1
    page.goto(f"{address}/?col=tags.attack")
    assert "onerror" in page.locator("#runs").inner_text()
    assert page.title() == "Runs · penstock"


def test_pages_can_be_read_without_scripts(browser, address, filled):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/runs/{filled.failed}")
    assert page.locator("pre.trace").first.is_visible()
    assert page.locator(".graph svg").is_visible()
    page.goto(address)
    page.fill("input[name=filter]", "state = 'failed'")
    page.click("button:has-text('Apply')")
    assert page.locator("#runs tbody tr").count() == 3
    context.close()


def test_charts_and_console_of_a_live_run_move_with_its_table(page, address, filled):
    with start_run("moving", experiment="live", store=filled.store) as run:
        for step in range(5):
            run.log_metric("loss", 1.0 / (step + 1), step=step)
        print("first line of the console")
        filled.store.flush()
        page.goto(f"{address}/runs/{run.run_id}")
        drawn = "() => document.querySelector('[data-key=loss] .plot')?.data?.[0].x.length"
        page.locator("#metric-charts").scroll_into_view_if_needed()
        page.wait_for_function(f"{drawn} === 5", timeout=30_000)
        for step in range(5, 9):
            run.log_metric("loss", 1.0 / (step + 1), step=step)
            run.log_metric("later", step, step=step)
        print("second line of the console")
        filled.store.flush()
        page.wait_for_function(f"{drawn} === 9", timeout=30_000)
        page.wait_for_selector("[data-key=later] .plot svg", timeout=30_000)
        assert "last 0.111" in page.text_content("[data-key=loss] figcaption")
        page.wait_for_function(
            "() => document.getElementById('console')?.textContent.includes('second line')",
            timeout=30_000,
        )
        if folder := os.environ.get("PENSTOCK_PICTURES"):
            page.screenshot(path=f"{folder}/live.png", full_page=True)


@pytest.mark.parametrize(
    "path", ["/", "/runs/last", "/models/big-tips", "/deployments/big-tips", "/schedules"]
)
def test_a_page_is_no_wider_than_a_telephone(browser, address, path):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address + path)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


@pytest.mark.parametrize("path", ["/runs/{last}", "/lineage?node=version:big-tips@3"])
def test_no_text_of_a_graph_runs_over_the_border_of_its_box(browser, address, filled, path):
    page = browser.new_context(viewport={"width": 1300, "height": 850}).new_page()
    page.goto(address + path.format(last=filled.last))
    texts, over = page.evaluate(
        """() => {
            const texts = [...document.querySelectorAll('svg .node text')]
            const right = shape => shape.getBoundingClientRect().right
            const over = texts.filter(text => right(text) > right(text.closest('.node').querySelector('rect')))
            return [texts.length, over.map(text => text.textContent)]
        }"""
    )
    assert texts > 5
    assert over == []
