"""PathRules: which paths' look-ups count for a step's trace, by where the paths are."""

import os
from collections.abc import Sequence
from typing import Any

from penstock.provenance._places import passing_places, skipped_places
from penstock.provenance._trace import real_getcwd

_SYSTEM = ("/proc/", "/sys/", "/dev/", "/usr/lib", "/lib/", "/lib64/", "/usr/share/", "/etc/ld.so")


class PathRules:
    """The rules of a project.

    Args:
        project: The project's folder.
        skipped: Folders and path prefixes of penstock: those of the store.
    """

    def __init__(self, project: str, skipped: Sequence[str] = ()) -> None:
        self.project = project
        self.skipped = skipped_places(project, tuple(skipped))

    def whole(self, name: Any) -> str | None:
        """Return the absolute path of a name; None for a name that is no path."""
        try:
            text = os.fsdecode(name)
        except TypeError:
            return None
        if not text or "\0" in text:
            return None
        # Symbolic links stay as they are.
        return os.path.normpath(text if text.startswith("/") else f"{real_getcwd()}/{text}")

    def counts(self, path: str) -> bool:
        """Return whether look-ups at a path count: neither the system's nor penstock's."""
        # A place with a NUL at its end is that path alone.
        return not f"{path}\0".startswith(self.skipped) and not path.startswith(_SYSTEM)

    def is_in_project(self, path: str) -> bool:
        """Return whether a path is below the project."""
        return path.startswith(f"{self.project}/")

    def is_passing(self, path: str) -> bool:
        """Return whether a place is for short-lived files, so that only own code counts there."""
        return not self.is_in_project(path) and f"{path}/".startswith(passing_places())

    def short(self, path: str) -> str:
        """Return a path relative to the project, if below."""
        return path.removeprefix(f"{self.project}/")
