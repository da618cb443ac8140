"""Projects: the parts of a store that teams work in."""

import re
from collections.abc import Sequence

from penstock.core import (
    ANY_PROJECT,
    DEFAULT_PROJECT,
    ParameterError,
    Permission,
    ProjectRecord,
    now,
    project_of,
    require_name,
)
from penstock.people._access import require_permission
from penstock.stores import Store, open_store

_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/ -]{0,99}\*?")


class Projects:
    """Projects of a store: which names belong to which team.

    ```python
    ps.people.Projects().add("churn", names=["churn", "churn-*"])
    ```

    Args:
        store: Store or store URL; by default the project's store.
    """

    def __init__(self, *, store: Store | str | None = None) -> None:
        self._metadata = open_store(store).metadata

    def add(self, name: str, *, names: Sequence[str] = (), note: str = "") -> ProjectRecord:
        """Create a project, or change which names belong to it.

        Args:
            name: Unique name.
            names: Names of experiments, models, deployments, schedules and data sets that belong to
                it; a name may end in ``*``. By default the project's own, and those that begin with
                it and ``-``.
            note: Markdown by the user.

        Raises:
            ParameterError: If a name cannot be used.
            ConflictError: If another project has one of the names.
        """
        require_permission(Permission.ADMIN, ANY_PROJECT)
        if name == DEFAULT_PROJECT:
            raise ParameterError(
                what=f"{name!r} is the project of all names that no project claims.",
                fix="Choose a different name.",
            )
        patterns = tuple(dict.fromkeys(names or (require_name(name, "project"), f"{name}-*")))
        for pattern in patterns:
            if not _PATTERN.fullmatch(pattern):
                raise ParameterError(
                    what=f"{pattern!r} names nothing that could belong to a project.",
                    fix="Write a name, or its beginning followed by *, such as churn-*.",
                )
        project = ProjectRecord(require_name(name, "project"), patterns, now(), note)
        self._metadata.projects.save(project)
        return self._metadata.projects.get(name)

    def get(self, name: str) -> ProjectRecord:
        """Return a project.

        Raises:
            NotFoundError: If there is no such project.
        """
        return self._metadata.projects.get(name)

    def list(self) -> list[ProjectRecord]:
        """List the projects by name."""
        return self._metadata.projects.list()

    def remove(self, name: str) -> None:
        """Remove a project with the roles in it; its names belong to ``default`` then.

        Raises:
            NotFoundError: If there is no such project.
        """
        require_permission(Permission.ADMIN, ANY_PROJECT)
        self._metadata.projects.delete(name)

    def find(self, name: str) -> str:
        """Return the project of an experiment, model, deployment, schedule or data set."""
        return project_of(name, self.list())
