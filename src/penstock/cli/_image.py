"""``penstock image``: a Containerfile of the project, and its images where a builder is."""

from pathlib import Path

import click

from penstock.cli._export import write_file
from penstock.cli._help import examples, set_option
from penstock.cli._output import emit, json_option, plain, say
from penstock.cli._run import pairs
from penstock.exporters import ImageFile, build_images, export_image


@click.command(
    epilog=examples(
        "penstock image churn.py -o Containerfile",
        "penstock image churn.py --image registry/churn:1 --build",
    )
)
@click.argument("target", metavar="FILE.py[:NAME]")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE; default: standard output.")
@click.option("--image", metavar="IMAGE", help="Name and tag of the image.")
@click.option("--base", metavar="IMAGE", help="Base image, best with its digest.")
@click.option("--requirements", metavar="FILE", help="Requirements file of the project.")
@click.option("--build", is_flag=True, help="Build with podman, buildah or docker.")
@set_option
@json_option
def image(
    target: str,
    output: str | None,
    image: str | None,
    base: str | None,
    requirements: str | None,
    build: bool,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a Containerfile of the project, with an image for each environment of a step.

    Why two builds can differ is listed in the file's head and on standard error: a base image
    without its digest, packages without a version or a hash. With --build, the file is Containerfile
    in the project's folder unless -o names another.
    """
    params = {name.replace("-", "_"): value for name, value in pairs(settings, "--set").items()}
    made = export_image(target, image=image, base=base, requirements=requirements, params=params)
    path = Path(output) if output else (made.project / "Containerfile" if build else None)
    if path is not None:
        write_file(path, made.text)
        write_file(Path(f"{path}.dockerignore"), made.ignore)
    builder = None
    if build and path is not None:
        builder = build_images(made, path.resolve(), report=lambda text: say(text, stderr=True))
    if as_json:
        emit(_document(made, path, builder))
    elif path is None:
        click.echo(made.text, nl=False)
    else:
        say(f"wrote {plain(str(output or path))}", stderr=True)
    for note in () if as_json else made.notes:
        say(f"  can differ: {plain(note)}", stderr=True)


def _document(made: ImageFile, path: Path | None, builder: str | None) -> dict[str, object]:
    return {
        "file": str(path) if path else None,
        "text": made.text,
        "images": dict(made.targets),
        "builder": builder,
        "notes": list(made.notes),
    }
