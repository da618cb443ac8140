"""``penstock demo``: the whole loop on a simulated payments stream."""

import os
from pathlib import Path

import click

from penstock.cli._help import examples
from penstock.demo import run_demo
from penstock.server import serve_ui


@click.command(epilog=examples("penstock demo", "penstock demo --once"))
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo-store"),
              show_default=True, help="Folder of the demo; emptied first.")  # fmt: skip
@click.option("--once", is_flag=True, help="Exit instead of starting the UI.")
@click.option("--port", default=4270, show_default=True, help="Port of the UI.")
def demo(folder: Path, once: bool, port: int) -> None:
    """Run the whole loop: train, gate, serve, drift, retrain, canary, roll back, prove.

    The payments are simulated. PENSTOCK_DEMO_ONCE=1 is the same as --once.
    """
    store = run_demo(folder)
    if once or os.environ.get("PENSTOCK_DEMO_ONCE") == "1":
        return
    click.echo(f"The UI is at http://127.0.0.1:{port} (stop with Ctrl-C).")
    click.echo(f"To start it again: penstock --store {store.url} ui")
    serve_ui(port=port, store=store)
