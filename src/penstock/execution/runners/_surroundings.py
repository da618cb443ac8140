"""Surroundings: what a step finds around it beside its module, on the way to another process.

A notebook's cells replace functions of libraries and set options. A process that executes the
notebook's steps makes the same, or the run is refused there: else the step would compute something
else without a word.
"""

import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from penstock.core import StepError, require
from penstock.provenance import (
    Patches,
    find_patches,
    library_setting_objects,
    library_settings,
    make_patches,
    use_library_settings,
)

_SHOWN = 3
_PURPOSE = "sending to another process what is in no file (a notebook, a function)"


@dataclass(frozen=True)
class Surroundings:
    """What stands around the steps of a process; travels with the work, see `dump`.

    Args:
        patches: What the cells of a notebook have replaced in libraries.
        settings: Settings of libraries that are not the defaults.
        objects: Values of those settings that are objects.
    """

    patches: Patches = field(default_factory=Patches)
    settings: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def here(cls, modules: Iterable[str]) -> "Surroundings":
        """Return the surroundings in this process of a pipeline of some modules."""
        return cls(find_patches(modules), library_settings(), library_setting_objects())

    def __reduce__(self) -> tuple[type["Surroundings"], tuple[()]]:
        return Surroundings, ()  # functions of a notebook are no part of a plain pickle

    @cached_property
    def alone(self) -> bytes:
        """The surroundings as bytes, see `dump`; of a pipeline in a file, whose imports set options too."""
        if not self.patches.by_place and find_spec("cloudpickle") is None:
            return replace(self, objects={}).dump(None)
        return self.dump(None)

    def dump(self, what: Any) -> bytes:
        """Return the surroundings as bytes, with an object that shares functions with them.

        Raises:
            StepError: If a patch cannot be made in another process.
            MissingPackageError: If something is in no file and cloudpickle is not installed.
        """
        if self.patches.untold:
            raise _refusal("; ".join(self.patches.untold[:_SHOWN]))
        carried = self.patches.by_place, self.objects, self.settings, what
        if what is None and not self.patches.by_place and not self.objects:
            return pickle.dumps(carried)
        cloudpickle = require("cloudpickle", extra="pickle", purpose=_PURPOSE)
        try:
            packed: bytes = cloudpickle.dumps(carried)
        except Exception:
            for place, value in {**self.patches.by_place, **self.objects}.items():
                _require_sendable(place, value, cloudpickle.dumps)
            raise
        return packed


@dataclass(frozen=True, slots=True)
class Arrived:
    """Surroundings in another process, with the object that came along."""

    patches: Mapping[str, Any]
    objects: Mapping[str, Any]
    settings: Mapping[str, Any]
    what: Any

    @classmethod
    def load(cls, packed: bytes) -> "Arrived":
        """Return what `Surroundings.dump` packed."""
        return cls(*pickle.loads(packed))  # noqa: S301 - from our own process

    def make_patches(self) -> None:
        """Replace in this process what was replaced there; before the pipeline's file is loaded."""
        make_patches(self.patches)

    def use_settings(self) -> None:
        """Set options of libraries as there; after the pipeline's file, which may set others."""
        use_library_settings(self.settings, self.objects)


def _require_sendable(place: str, value: Any, dumps: Callable[[Any], bytes]) -> None:
    try:
        dumps(value)
    except Exception as error:
        where = place.replace(":", ".")
        raise _refusal(f"{where} is now {type(value).__name__}, not sent: {error}") from error


def _refusal(changes: str) -> StepError:
    return StepError(
        what=f"Cells have changed libraries in a way that no other process can repeat: {changes}.",
        why="There the step would find the library as it is installed, and return something else.",
        fix="Put the statement into the step, or into a module that the step imports; or run in this"
        ' process: runner="local".',
    )
