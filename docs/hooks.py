"""Build hooks: the command reference is generated from the commands themselves."""

import click

from penstock.cli import cli


def on_page_markdown(markdown, *, page, **_):
    """Put the generated reference where the page asks for it."""
    if page.file.src_uri != "reference/cli.md":
        return None
    return markdown.replace("<!-- commands -->", "\n".join(_sections(cli, "penstock")))


def _sections(command, path, depth=2):
    context = click.Context(command, info_name=path)
    if depth > 2 or not isinstance(command, click.Group):  # noqa: PLR2004 - below the page title
        yield f"{'#' * depth} `{path}`\n"
    yield "```text"
    yield command.get_help(context).replace("Usage: " + path.split()[-1], "Usage: " + path, 1)
    yield "```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _sections(inner, f"{path} {name}", min(depth + 1, 3))
