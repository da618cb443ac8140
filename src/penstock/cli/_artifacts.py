"""``penstock artifacts``: the artifacts of a run, as a list, as files or as URLs."""

from datetime import timedelta
from pathlib import Path

import click

from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    ArtifactRecord,
    short,
    to_json,
)
from penstock.tracking import Run, get_run


@click.command(
    epilog=examples("penstock artifacts last", "penstock artifacts last roc --download out")
)
@click.argument("run")
@click.argument("names", nargs=-1)
@click.option(
    "--download",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Download to files in this folder.",
)
@click.option("--url", "urls", is_flag=True, help="Print URLs from which the bytes can be read.")
@click.option(
    "--expires",
    metavar="HOURS",
    default=1.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Lifetime of a signed URL.",
)
@json_option
@click.pass_context
def artifacts(
    ctx: click.Context,
    run: str,
    names: tuple[str, ...],
    download: Path | None,
    urls: bool,
    expires: float,
    as_json: bool,
) -> None:
    """List the artifacts of RUN (an id, a unique prefix, or `last`), or only NAMES."""
    details = get_run(run, store=current_store(ctx))
    if download is not None:
        _download(details, names, download, as_json=as_json)
    elif urls:
        _show_urls(details, names, timedelta(hours=expires), as_json=as_json)
    else:
        _list(details, names, as_json=as_json)


def _list(run: Run, names: tuple[str, ...], *, as_json: bool) -> None:
    chosen = _chosen(run, names)
    if as_json:
        emit([{"name": name, **to_json(record)} for name, record in chosen.items()])
    elif not chosen:
        say(f"Run {run.run_id} has no artifacts.")
    else:
        show_table(
            ["name", "type", "stored as", "bytes", "digest"],
            [
                [name, item.type_name, item.format, item.size_bytes, short(item.content_digest)]
                for name, item in chosen.items()
            ],
        )


def _download(run: Run, names: tuple[str, ...], folder: Path, *, as_json: bool) -> None:
    files = [file for name in names or (None,) for file in run.download(name, to=folder)]
    if as_json:
        emit({"files": files})
        return
    for file in files:
        say(plain(file))
    if not files:
        say(f"Run {run.run_id} has no artifacts.")


def _show_urls(run: Run, names: tuple[str, ...], expires: timedelta, *, as_json: bool) -> None:
    urls = {name: run.artifact_url(name, expires=expires) for name in _chosen(run, names)}
    if as_json:
        emit(urls)
        return
    for name, url in urls.items():
        if url is None:
            say(
                f"{plain(name)} is in the store's database and has no URL: use --download.",
                stderr=True,
            )
        else:
            click.echo(url)


def _chosen(run: Run, names: tuple[str, ...]) -> dict[str, ArtifactRecord]:
    return {name: run.artifact_record(name) for name in names} if names else run.artifacts()
