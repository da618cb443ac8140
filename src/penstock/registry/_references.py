"""References to a version: numbers, ``model@3``, and aliases that follow the stages."""

import re
from collections.abc import Sequence

from penstock.core import ModelVersionRecord, NotFoundError, ParameterError, Stage, did_you_mean

CHOSEN_TAG = "penstock.chosen_as"
"""Tag of a run, and of the version that it registers: how the rows of its report chose the model."""

# Champion is always the production version; challenger the newest in staging.
_ALIASES = {
    "champion": Stage.PRODUCTION,
    "production": Stage.PRODUCTION,
    "challenger": Stage.STAGING,
    "staging": Stage.STAGING,
}
_URI = "models:/"
_LOGGED = re.compile(r"m-[0-9a-f]{32}(/.*)?")
_NUMBER = re.compile(r"v?([0-9]{1,9})")


def parse_ref(text: str) -> tuple[str, int | str | None]:
    """Parse ``model``, ``model@3``, ``model@v3``, ``model@champion``, or MLflow's URI of a version.

    >>> parse_ref("big-tips@3"), parse_ref("big-tips@champion"), parse_ref("big-tips")
    (('big-tips', 3), ('big-tips', 'champion'), ('big-tips', None))
    >>> parse_ref("models:/big-tips/3"), parse_ref("models:/big-tips@champion")
    (('big-tips', 3), ('big-tips', 'champion'))

    Raises:
        ParameterError: If the text before or after the ``@`` is empty, or an URI names no version.
    """
    if text.startswith(_URI):
        return _parse_uri(text)
    if text.startswith("runs:/"):
        raise _no_version(text, "the files of a run")
    model, at, version = text.partition("@")
    if not model or (at and not version):
        raise ParameterError(
            what=f"{text!r} names no model version.",
            fix="Write MODEL or MODEL@VERSION, for example big-tips@3 or big-tips@champion.",
            text=text,
        )
    return model, _read(version) if at else None


def _parse_uri(text: str) -> tuple[str, int | str | None]:
    """Parse ``models:/churn``, ``models:/churn/3``, ``models:/churn/Production`` and ``…@champion``."""
    named = text.removeprefix(_URI)
    if _LOGGED.fullmatch(named):
        raise _no_version(text, "a logged model")
    separator = "@" if "@" in named else "/"
    model, found, version = named.partition(separator)
    if not model or (found and not version) or "/" in model + version:
        raise _no_version(text, "no version of a model")
    return model, _read(version.lower() if separator == "/" else version) if found else None


def _no_version(text: str, kind: str) -> ParameterError:
    return ParameterError(
        what=f"{text!r} names {kind}.",
        why="Only registered versions are judged, promoted and served.",
        fix=f'Register it with MLflow\'s client: mlflow.register_model("{text}", NAME); then write'
        " NAME@VERSION or models:/NAME/VERSION.",
        text=text,
    )


def find_version(
    versions: Sequence[ModelVersionRecord], wanted: int | str | None
) -> ModelVersionRecord:
    """Return a version of a model; see Registry.get.

    Args:
        versions: All versions of the model, by number, never empty.
        wanted: Number, alias, ``latest``, or None for the newest that is not rejected.

    Raises:
        NotFoundError: If there is no such version.
    """
    model, number = versions[0].model, _read(wanted) if isinstance(wanted, str) else wanted
    if number is None:
        return _newest_open(versions)
    if number == "latest":
        return versions[-1]
    if isinstance(number, int):
        return _numbered(versions, number)
    stage = _ALIASES.get(number.lower())
    if stage is None:
        raise NotFoundError(
            what=f"{number!r} names no version of {model!r}.",
            why="A version is a number or one of the aliases.",
            fix=did_you_mean(number, [*_ALIASES, "latest"]),
            model=model,
        )
    in_that_stage = in_stage(versions, stage)
    if in_that_stage is None:
        raise NotFoundError(
            what=f"No version of {model!r} is in {stage.value}.",
            fix=f"Put one there with: penstock promote {model}"
            + ("" if stage is Stage.PRODUCTION else f" --to {stage.value}"),
            model=model,
        )
    return in_that_stage


def in_stage(versions: Sequence[ModelVersionRecord], stage: Stage) -> ModelVersionRecord | None:
    """Return the newest version in a stage."""
    return next((version for version in reversed(versions) if version.stage is stage), None)


def newest_candidate(versions: Sequence[ModelVersionRecord]) -> ModelVersionRecord:
    """Return the newest version that has not been promoted, archived or rejected yet.

    Raises:
        NotFoundError: If there is no such version.
    """
    for version in reversed(versions):
        if version.stage in {Stage.NONE, Stage.STAGING}:
            return version
    model = versions[0].model
    raise NotFoundError(
        what=f"Model {model!r} has no version that could still come into production.",
        why="Each of its versions is in production, archived or rejected.",
        fix="Run the pipeline to register one, or name a version.",
        model=model,
    )


def _numbered(versions: Sequence[ModelVersionRecord], number: int) -> ModelVersionRecord:
    for version in versions:
        if version.version == number:
            return version
    known = ", ".join(str(version.version) for version in versions[-8:])
    raise NotFoundError(
        what=f"Model {versions[0].model!r} has no version {number}.",
        fix=f"It has {known}.",
        model=versions[0].model,
        version=number,
    )


def _newest_open(versions: Sequence[ModelVersionRecord]) -> ModelVersionRecord:
    for version in reversed(versions):
        if version.stage is not Stage.REJECTED:
            return version
    raise NotFoundError(
        what=f"All {len(versions)} versions of {versions[0].model!r} are rejected.",
        why="Rejected is final.",
        fix="Train a new one: penstock run FILE",
        model=versions[0].model,
    )


def _read(version: str) -> int | str:
    number = _NUMBER.fullmatch(version)
    return int(number[1]) if number else version
