"""``build_images``: images of a Containerfile by podman, buildah or docker, whichever is there."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from penstock.core import ParameterError, PenstockError
from penstock.exporters._images import ImageFile

# The same times in all files: equal contents make equal images.
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "podman": ("podman", "build", "--timestamp", "0"),
    "buildah": ("buildah", "build", "--timestamp", "0"),
    "docker": ("docker", "build", "--build-arg", "SOURCE_DATE_EPOCH=0"),
}


def build_images(
    made: ImageFile, file: Path, *, report: Callable[[str], None] = lambda _: None
) -> str:
    """Build the images of a Containerfile; returns the builder's name.

    Args:
        made: The Containerfile, from `export_image`.
        file: Where it is written, with ``.dockerignore`` beside.
        report: Called with each command.

    Raises:
        ParameterError: If no builder is installed.
        PenstockError: If a build fails.
    """
    builder = _find_builder(made, file)
    for image, stage in made.targets.items():
        ignore = ["--ignorefile", f"{file}.dockerignore"] if builder != "docker" else []
        words = [*_COMMANDS[builder], *ignore, "-f", str(file), "--target", stage, "-t", image, "."]
        report(" ".join(words))
        done = subprocess.run(words, cwd=made.project, check=False)  # noqa: S603 - the user's builder
        if done.returncode:
            raise PenstockError(
                what=f"{builder} ended with code {done.returncode} when it built {image}.",
                why="Its own message stands above.",
                fix=f"Correct {file}, or build by hand: {' '.join(words)}",
            )
    return builder


def _find_builder(made: ImageFile, file: Path) -> str:
    for name in _COMMANDS:
        if shutil.which(name) and (name != "docker" or _has_daemon()):
            return name
    image, stage = next(iter(made.targets.items()))
    raise ParameterError(
        what="Neither podman nor buildah is installed, and no docker daemon answers.",
        why="One of them builds the image.",
        fix=f"Where one is: docker build -f {file.name} --target {stage} -t {image} .",
    )


def _has_daemon() -> bool:
    words = ["docker", "info", "--format", "{{.ServerVersion}}"]
    try:
        done = subprocess.run(words, capture_output=True, timeout=10, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
