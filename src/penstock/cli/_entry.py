"""Entry point of the command: the interpreter gets a fixed hash seed before any import."""

import importlib
import os
import sys

# Commands that run user code: results must not depend on the order of a set.
_SEEDED = {"run", "step", "debug", "backfill", "demo", "export"}


def main() -> None:
    """Run the command line; restart the interpreter if the hash seed is random."""
    if "PYTHONHASHSEED" not in os.environ and _SEEDED & set(sys.argv[1:4]):
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        # -P: a user's own file named like a library must not shadow the library.
        command = [sys.executable, "-P", "-m", "penstock.cli", *sys.argv[1:]]
        os.execve(sys.executable, command, environment)  # noqa: S606 - this program again, no shell
    try:
        # Imported here, because all imports before the execve would be loaded twice.
        cli = importlib.import_module("penstock.cli._main").cli
        sys.exit(cli(prog_name="penstock"))
    except KeyboardInterrupt:  # while modules are imported, before a command runs
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
