"""Help texts that several commands share: examples, and options with the same meaning."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    r"""Return the examples below a command's options, a line each.

    >>> examples("penstock runs")
    '\x08\nExample:\n  penstock runs'
    """
    noun = "Example" if len(lines) == 1 else "Examples"
    return "\b\n" + "\n  ".join([f"{noun}:", *lines])  # \b: click must not join the lines


def actor_option(verb: str) -> Callable[[Command], Command]:
    """Return the option ``--actor``, recorded with the command's action.

    Args:
        verb: The action, third person: ``approves``.
    """
    return click.option("--actor", metavar="NAME", help=f"Who {verb}; default: you.")


def runner_options(command: Command) -> Command:
    """Add ``--runner`` and ``--workers`` to a command."""
    for option in (
        click.option("--workers", type=int, metavar="N", help="Maximum number of steps at once."),
        click.option(
            "--runner",
            default="local",
            show_default=True,
            metavar="NAME",
            help="Where steps run: local, processes or ray.",
        ),
    ):
        command = option(command)
    return command


set_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeatable."
)
