"""Events of a recorded run: those that a webhook has received as the run went, in the same order."""

import json

import pytest
from tests.hooks.test_openlineage import go, read

from penstock.core import NotFoundError
from penstock.exporters import export_openlineage
from penstock.hooks import list_run_events


def told(events):
    """Return events as they are compared: the moment is that of the message, not of the record."""
    return [{key: value for key, value in event.items() if key != "eventTime"} for event in events]


@pytest.mark.parametrize("options", [{"tags": {"team": "risk"}}, {"fail": True}])
def test_the_events_are_those_that_a_webhook_has_received(hooks, receiver, store, options):
    hooks.add(receiver.url, form="openlineage")
    result = go(store, **options)
    events = list_run_events(result.run_id, store=store)
    assert told(events) == told(got.json for got in receiver.got)
    assert all(read(event) for event in events)


def test_a_cached_run_too(hooks, receiver, store):
    go(store)
    hooks.add(receiver.url, form="openlineage")
    result = go(store)
    events = list_run_events(result.run_id, store=store)
    assert told(events) == told(got.json for got in receiver.got)


def test_the_file_has_an_event_per_line_in_their_order(store):
    go(store)
    exported = export_openlineage("last", store=store)
    events = [json.loads(line) for line in exported.text.splitlines()]
    assert [event["eventTime"] for event in events] == sorted(e["eventTime"] for e in events)
    assert (events[0]["eventType"], events[-1]["eventType"]) == ("START", "COMPLETE")
    assert exported.text == export_openlineage("last", store=store).text
    with pytest.raises(NotFoundError):
        export_openlineage("nosuchrun", store=store)
