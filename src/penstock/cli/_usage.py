"""Wrong use of a command line, as an error of penstock's form with the command's help."""

from collections.abc import Iterable, Sequence

import click

from penstock.core import ParameterError, did_you_mean

_WHY = "The command was not executed."


def usage_error(
    error: click.UsageError, root: click.Context, words: Sequence[str] = ()
) -> ParameterError:
    """Convert click's error to penstock's form: mistake, reason, and the command's help.

    Args:
        error: Click's error; some of them do not name their command.
        root: Context of ``penstock``.
        words: Words after the command's name.
    """
    ctx = error.ctx or _invoked(root, words)
    if isinstance(error, click.NoSuchOption):
        what, fix = _no_option(error, ctx)
    elif isinstance(error, click.MissingParameter):
        what, fix = _missing(error, ctx)
    elif isinstance(error, click.BadParameter):
        what, fix = _bad_value(error, ctx)
    elif isinstance(ctx.command, click.Group) and ctx.command is not ctx.find_root().command:
        what, fix = _no_command(error, ctx, ctx.command.list_commands(ctx))
    else:
        what, fix = _sentence(error.format_message()), f"Write it as {_usage(ctx)}."
    return ParameterError(what=what, why=_WHY, fix=f"{fix} See: {ctx.command_path} --help".strip())


def unknown_command(ctx: click.Context, name: str, known: Iterable[str]) -> ParameterError:
    """Return the error about a command that does not exist."""
    fix = f"{did_you_mean(name, known)} See: {ctx.command_path} --help"
    return ParameterError(what=f"There is no command {name!r}.", why=_WHY, fix=fix)


def _no_option(error: click.NoSuchOption, ctx: click.Context) -> tuple[str, str]:
    name, root = error.option_name, ctx.find_root()
    what = f"`{ctx.command_path}` has no option {name!r}."
    if name in _options(root) and ctx is not root:  # `--store` belongs to all commands
        rest = ctx.command_path.removeprefix(f"{root.command_path} ")
        return what, f"Write it before the command: {root.command_path} {name} … {rest}."
    return what, did_you_mean(name, _options(ctx))


def _missing(error: click.MissingParameter, ctx: click.Context) -> tuple[str, str]:
    parameter = error.param
    if isinstance(parameter, click.Option):
        about = f": {_sentence(parameter.help)}" if parameter.help else "."
        what = f"`{ctx.command_path}` needs the option {parameter.opts[0]!r}{about}"
    elif parameter is not None:
        what = f"`{ctx.command_path}` needs {parameter.make_metavar(ctx)}."
    else:
        what = _sentence(error.format_message())
    return what, f"Write it as {_usage(ctx)}."


def _bad_value(error: click.BadParameter, ctx: click.Context) -> tuple[str, str]:
    parameter = error.param
    if isinstance(parameter, click.Option):
        name = parameter.opts[0]
    else:
        name = ctx.command_path if parameter is None else parameter.make_metavar(ctx)
    what = f"{name} got a value that cannot be used: {_sentence(error.message)}"
    return what, f"Correct {name}."


def _no_command(
    error: click.UsageError, ctx: click.Context, known: Iterable[str]
) -> tuple[str, str]:
    name = getattr(error, "command_name", None)  # from click 8.4 on
    if name is not None:
        return f"`{ctx.command_path}` has no command {name!r}.", did_you_mean(name, known)
    return _sentence(error.format_message()), f"Write it as {_usage(ctx)}."


def _invoked(root: click.Context, words: Sequence[str]) -> click.Context:
    """Return the context of the command, or of a group's command, that was called."""
    ctx, rest = root, [root.invoked_subcommand, *words]
    while rest and rest[0] is not None and isinstance(ctx.command, click.Group):
        command = ctx.command.get_command(ctx, rest[0])
        if command is None:
            break
        ctx = click.Context(command, parent=ctx, info_name=rest.pop(0))
    return ctx


def _options(ctx: click.Context) -> list[str]:
    return [
        name
        for parameter in ctx.command.get_params(ctx)
        if isinstance(parameter, click.Option) and not parameter.hidden
        for name in (*parameter.opts, *parameter.secondary_opts)
    ]


def _usage(ctx: click.Context) -> str:
    pieces = " ".join(ctx.command.collect_usage_pieces(ctx))
    return f"`{ctx.command_path} {pieces}`"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
