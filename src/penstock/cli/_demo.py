"""``penstock demo``: the whole loop on a simulated payments stream."""

import os
from pathlib import Path

import click

from penstock.cli._help import examples
from penstock.demo import run_demo
from penstock.http import listen
from penstock.server import serve_ui


@click.command(epilog=examples("penstock demo", "penstock demo --once"))
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo-store"),
              show_default=True, help="Folder of the demo; emptied first.")  # fmt: skip
@click.option("--once", is_flag=True, help="Exit instead of starting the UI.")
@click.option("--port", default=4270, show_default=True, type=click.IntRange(0, 65535),
              help="TCP port of the UI; 0 for any free port.")  # fmt: skip
def demo(folder: Path, once: bool, port: int) -> None:
    """Run the whole loop: train, gate, serve, drift, retrain, canary, roll back, prove.

    The payments are simulated. PENSTOCK_DEMO_ONCE=1 is the same as --once.
    """
    only_once = once or os.environ.get("PENSTOCK_DEMO_ONCE") == "1"
    if not only_once:
        listen("127.0.0.1", port).close()  # a port in use is an error now, not after the demo
    store = run_demo(folder)
    if only_once:
        return
    click.echo(f"To start the UI again: penstock --store {store.url} ui")
    serve_ui(port=port, ready=_say_where, store=store)


def _say_where(url: str) -> None:
    click.echo(f"The UI is at {url} (stop with Ctrl-C).")
