"""Pages about schedules, partitions and hooks."""

import re

import pytest

import penstock as ps
from penstock.core import HookRecord, TickRecord, TickState, now
from penstock.execution import QuietReporter
from penstock.testing._schedule_contract import NIGHTLY

OPTIONS = {
    "project": "trips", "missed": "last", "max_active_runs": 1, "window": "90d", "cool_down": None,
    "look_every": "30s", "runner": "local", "workers": None, "partitions": None, "fills": {},
}  # fmt: skip


@ps.step
def region_of(region: str) -> int:
    return 1 // (region != "bad")


@ps.pipeline(partitions=ps.Partitions.by(region=["eu", "bad", "us"]))
def regions(region: str):
    return region_of(region)


@pytest.fixture
def scheduled(store):
    from dataclasses import replace

    store.metadata.schedules.save(replace(NIGHTLY, options=OPTIONS, params={"word": "<b>x</b>"}))
    for number, state in enumerate((TickState.FINISHED, TickState.MISSED, TickState.FAILED)):
        store.metadata.schedules.add_tick(
            TickRecord("nightly", f"k{number}", now(), state, reason="It was three.", error="<i>e")
        )
    store.metadata.hooks.save(
        HookRecord("team", "https://e.org/?<x>", "webhook", "whsec_hush", ("run.*",), now())
    )


def test_schedules_are_listed_with_what_came_of_them_and_who_runs_them(client, scheduled, store):
    page = client.get("/schedules").text
    assert "cron 0 3 * * *" in page
    assert "no scheduler is running" in page
    assert re.findall(r'class="cell is-(\w+)"', page) == ["finished", "missed", "failed"]
    assert "https://e.org/?&lt;x&gt;" in page
    assert "whsec_" not in page + client.get("/schedules?format=json").text
    scheduler = ps.scheduling.Scheduler(store=store)
    scheduler._present_itself()
    assert "1 scheduler running" in client.get("/schedules").text
    scheduler._leave()


def test_a_schedule_tells_each_time_it_was_due(client, scheduled):
    page = client.get("/schedules/nightly").text
    assert "last: run the latest missed tick" in page
    assert page.count("It was three.") == 3
    assert "<i>e" not in page
    assert "<b>x" not in page
    assert client.get("/schedules/nightli").status_code == 404


def test_partitions_are_a_map_with_what_is_missing(client, store):
    for key in ("eu", "bad"):
        ps.run(regions, partition=key, store=store, reporter=QuietReporter())
    page = client.get("/partitions/regions").text
    assert re.findall(r'class="part is-(\w+)"', page) == ["finished", "failed", "missing"]
    assert "penstock backfill" in page
    assert client.get("/partitions/regions?format=json").json()["missing"] == ["bad", "us"]
    assert client.get("/partitions/other").status_code == 404
    run = store.metadata.runs.search("tags.`penstock.partition` = 'eu'")[0]
    assert 'href="/partitions/regions"' in client.get(f"/runs/{run.run_id}").text


def test_without_schedules_the_page_says_how_to_make_one(client):
    assert "penstock schedule add" in client.get("/schedules").text
