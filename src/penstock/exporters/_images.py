"""``export_image``: a Containerfile with an image of the project, and one for each environment of a step."""

import json
import posixpath
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import penstock
from penstock.core import ParameterError
from penstock.execution import load_pipeline, project_of
from penstock.exporters._plan import image_of, plain_id
from penstock.exporters._text import comment
from penstock.exporters._traced import trace_spec
from penstock.pipelines import Pipeline, PipelineSpec
from penstock.provenance import Requirements, read_requirements

STAGE = "project"
_EXAMPLES = 3
_USUAL_FILES = ("requirements.lock", "requirements.txt")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_IGNORED = (
    ".git", ".venv", "venv", ".env*", "**/.penstock", "**/__pycache__", "**/*.pyc", "**/.*_cache",
    "**/.ipynb_checkpoints", "**/node_modules", "dist", "build", "**/*secret*", "**/*credential*",
    "**/*.pem", "**/*.key",
)  # fmt: skip
# Compiled files with the time of their source differ in each build, and a builder that sets the
# times of files makes them invalid; with this variable Python writes the source's hash instead.
_PIP = "SOURCE_DATE_EPOCH=315532800 pip install"  # 1980, the first time that a zip file can hold
_ENV = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A Containerfile with its stages.

    Args:
        text: The Containerfile.
        ignore: What a builder leaves out of the image, as ``Containerfile.dockerignore``.
        project: Folder of the project, which is the build context.
        targets: Stage by image: the project's, and one for each environment of a step.
        notes: Why two builds can differ, a sentence each; empty if they cannot.
    """

    text: str
    ignore: str
    project: Path
    targets: Mapping[str, str]
    notes: tuple[str, ...] = ()


def export_image(
    pipeline: Pipeline[..., Any] | str,
    *,
    image: str | None = None,
    base: str | None = None,
    requirements: str | None = None,
    params: Mapping[str, object] | None = None,
) -> ImageFile:
    """Return a Containerfile for the project of a pipeline.

    The image has the requirements and the project in its working directory, as exported pipelines
    need. Each requirements file that a step names (``@ps.step(environment=…)``) makes a further
    image, whose tag ends in the file's name.

    ```python
    made = export_image("churn.py", image="registry/churn:1", base="python:3.12-slim@sha256:…")
    Path("Containerfile").write_text(made.text)
    ```

    Args:
        pipeline: The pipeline, or an entry point ``file.py:name``.
        image: Name and tag of the image; by default the pipeline's name and ``latest``.
        base: Base image, best with its digest; by default a slim Python of this version.
        requirements: Requirements file, relative to the project; by default ``requirements.lock``
            or ``requirements.txt``.
        params: Parameters without a default, which are needed to trace the steps.

    Raises:
        ParameterError: If the project has no requirements file, or a parameter is missing.
        NotFoundError: If a requirements file cannot be read.
    """
    target = load_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    spec, project = trace_spec(target, params or {}), project_of(target.file)
    base = base or f"python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
    main = read_requirements(project, requirements or _usual_file(project))
    name = image or image_of(spec.name)
    stages = {name: (STAGE, main)}
    for file in sorted(set(_environments(spec))):
        found = read_requirements(project, file)
        stages[image_of(spec.name, name, file)] = (
            plain_id(posixpath.splitext(file)[0]).replace("_", "-"),
            found,
        )
    notes = tuple(_notes(base, [found for _, found in stages.values()]))
    return ImageFile(
        _text(spec.name, base, list(stages.values()), notes),
        "\n".join(_ignored([found for _, found in stages.values()])) + "\n",
        project,
        {each: stage for each, (stage, _) in stages.items()},
        notes,
    )


def _usual_file(project: Path) -> str:
    for name in _USUAL_FILES:
        if (project / name).is_file():
            return name
    lock = " It has a uv.lock: uv export --frozen --no-emit-project -o requirements.lock"
    raise ParameterError(
        what=f"The project {project} has no {' and no '.join(_USUAL_FILES)}.",
        why="The image installs what a requirements file names, best with hashes.",
        fix="Write one, or name another: --requirements requirements/default.txt."
        + (lock if (project / "uv.lock").is_file() else ""),
    )


def _environments(spec: PipelineSpec) -> Iterator[str]:
    for step in spec.steps:
        for each in (step, *step.body):
            if each.options.environment:
                yield posixpath.normpath(each.options.environment)


def _notes(base: str, found: Sequence[Requirements]) -> Iterator[str]:
    if not _DIGEST.search(base):
        yield f"The base image {base} can change; give its digest: --base {base}@sha256:…"
    for each in found:
        if each.unpinned:
            shown = ", ".join(each.unpinned[:_EXAMPLES])
            yield f"{each.file}: {len(each.unpinned)} without a fixed version, as {shown}."
        elif not each.is_hashed:
            yield f"{each.file}: its packages have no hashes (uv pip compile --generate-hashes)."


def _text(
    name: str, base: str, stages: Sequence[tuple[str, Requirements]], notes: Sequence[str]
) -> str:
    head = [
        f"{name}: its image, and one for each environment of a step, written by `penstock image`.",
        "The project is in the working directory; the store is that of PENSTOCK_STORE,",
        "PENSTOCK_ARTIFACTS and PENSTOCK_TOKEN, which are not in the image.",
    ]
    if notes:
        head += ["", "Two builds can differ:", *(f"- {note}" for note in notes)]
    settings = " \\\n    ".join(f"{key}={value}" for key, value in _ENV.items())
    lines = [f"ARG BASE={base}", "FROM ${BASE} AS base", f"ENV {settings}", "WORKDIR /project"]
    for stage, found in stages:
        lines += ["", f"FROM base AS {stage}", *_install(found), "COPY . ."]
    return comment(head) + "\n".join(lines) + "\n"


def _install(found: Requirements) -> Iterator[str]:
    if found.local_paths:  # files of the project are installed, and may be anywhere in it
        yield "COPY . ."
    else:
        for path in sorted(found.files):
            yield f"COPY {json.dumps([path, path])}"
    hashes = "--require-hashes " if found.is_hashed else ""
    yield f"RUN {_PIP} {hashes}-r {json.dumps(found.file)}"
    if "penstock" not in found.names:
        yield f"RUN {_PIP} penstock=={penstock.__version__}"


def _ignored(found: Sequence[Requirements]) -> Iterator[str]:
    """Yield what stays out of the image; a folder that requirements name is needed."""
    named = {posixpath.normpath(path).split("/")[0] for each in found for path in each.local_paths}
    return (each for each in _IGNORED if each not in named)
