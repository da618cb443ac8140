"""Executes the flows of exported files by Prefect, in Prefect's environment: run_prefect.py [NAME=VALUE…] FILE….

An argument with a `=` is a Secret block to write before. Prints, as JSON by flow, the state of the
flow run and of its task runs.
"""

import json
import runpy
import sys

from prefect import get_client
from prefect.blocks.system import Secret
from prefect.client.schemas.filters import FlowRunFilter

secrets = [each for each in sys.argv[1:] if "=" in each]
for each in secrets:
    name, _, value = each.partition("=")
    Secret(value=value).save(name)
found = {}
for file in sys.argv[1 + len(secrets) :]:
    flow = runpy.run_path(file, run_name="exported")["pipeline"]
    state = flow(return_state=True)
    with get_client(sync_client=True) as client:
        runs = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id={"any_": [state.state_details.flow_run_id]})
        )
        tasks = sorted((run.name, run.state.name, run.run_count) for run in runs)
    found[flow.name] = {"state": state.name, "tasks": tasks}
print(json.dumps(found))
