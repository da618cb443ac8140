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


def address_options(port: int) -> Callable[[Command], Command]:
    """Return ``--host`` and ``--port``, the address that a server listens on.

    Args:
        port: The default port.
    """

    def add(command: Command) -> Command:
        for option in (
            click.option(
                "--port",
                default=port,
                show_default=True,
                type=click.IntRange(0, 65535),
                help="TCP port; 0 for any free port.",
            ),
            click.option(
                "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
            ),
        ):
            command = option(command)
        return command

    return add


def allowed_host_option(reached: str) -> Callable[[Command], Command]:
    """Return the option ``--allowed-host``: further names of a server.

    Args:
        reached: Clients and server for the help text: ``readers reach the UI``.
    """
    return click.option(
        "--allowed-host",
        "allowed_hosts",
        multiple=True,
        metavar="NAME",
        help=f"Name under which {reached}, e.g. ml.example.org; repeatable.",
    )


def url_option(reached: str) -> Callable[[Command], Command]:
    """Return the option ``--url``: where browsers reach a server behind a proxy.

    Args:
        reached: Readers and server for the help text: ``readers reach the UI``.
    """
    return click.option(
        "--url",
        default="",
        metavar="URL",
        help=f"URL under which {reached} through a proxy that speaks TLS: sessions are Secure there.",
    )


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
