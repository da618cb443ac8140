"""Projects: the parts of the store that teams work in."""

from typing import Protocol

from penstock.core import ProjectRecord


class ProjectStore(Protocol):
    """Projects. Each change is in the audit trail, in the same transaction."""

    def save(self, project: ProjectRecord) -> None:
        """Insert or replace a project by name.

        Raises:
            ConflictError: If a second project has any of these names.
        """
        ...

    def get(self, name: str) -> ProjectRecord:
        """Return a project."""
        ...

    def delete(self, name: str) -> None:
        """Delete a project with all grants; the names belong to no project then."""
        ...

    def list(self) -> list[ProjectRecord]:
        """List the projects by name."""
        ...
