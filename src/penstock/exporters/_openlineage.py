"""``export_openlineage``: the events of a run as a file, for a catalogue that reads OpenLineage."""

import json

from penstock.exporters._exported import Exported
from penstock.hooks import list_run_events
from penstock.stores import Store, open_store


def export_openlineage(run: str, *, store: Store | str | None = None) -> Exported:
    """Return the OpenLineage events of a run and its steps, one JSON object per line.

    They are those that a webhook of the form ``openlineage`` posts while the run goes on, with the
    same run ids: a catalogue that has received both has each run once.

    ```python
    Path("events.ndjson").write_text(export_openlineage("last").text)
    ```

    Args:
        run: Id of the run, the beginning of an id, or ``last``.
        store: The store; by default the project's.

    Raises:
        NotFoundError: If there is no such run.
    """
    opened = open_store(store)
    record = opened.metadata.runs.get(run)
    events = list_run_events(record.run_id, store=opened)
    lines = [json.dumps(event, ensure_ascii=False, sort_keys=True) for event in events]
    file = f"{record.run_id}.openlineage.ndjson"
    return Exported("openlineage", file, "".join(f"{line}\n" for line in lines))
