"""``penstock export helm``: the Helm chart of server, scheduler and model servers."""

import click

from penstock.cli._help import examples
from penstock.cli._output import emit, json_option, plain, say
from penstock.exporters import write_chart


@click.command(
    "helm",
    epilog=examples(
        "penstock export helm -o chart",
        "helm install ml chart --set image=registry/churn:1",
    ),
)
@click.option("-o", "--output", metavar="FOLDER", required=True, help="Write the chart to FOLDER.")
@json_option
def export_chart(output: str, as_json: bool) -> None:
    """Write a Helm chart: the server with its web UI, the scheduler, a model server per model."""
    files = write_chart(output)
    if as_json:
        emit({"folder": output, "files": [str(path) for path in files]})
        return
    say(f"wrote {plain(output)}: {len(files)} files", stderr=True)
