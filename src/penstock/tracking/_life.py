"""``RunLife``: operations on a run besides logging: names, notes, groups, archive, deletion."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from penstock.core import ConflictError, RunRecord, RunState, Stage, now, require_name

if TYPE_CHECKING:
    from penstock.stores import Store

_SEARCHED = 10_000


class RunLife:
    """The life-cycle methods of Run; Run provides the record and the store."""

    store: "Store"

    @property
    def record(self) -> RunRecord:
        """The whole record; see Run."""
        raise NotImplementedError

    def edit(
        self,
        *,
        name: str | None = None,
        note: str | None = None,
        group: str | None = None,
        archived: bool | None = None,
    ) -> None:
        """Change the descriptions of the run; fields left out stay unchanged.

        >>> import tempfile
        >>> from penstock.tracking import start_run
        >>> with start_run(store=f"sqlite:///{tempfile.mkdtemp()}/penstock.db") as run:
        ...     run.edit(name="fold 3", group="folds", note="Found the *outlier*.")
        >>> run.name, run.record.group
        ('fold 3', 'folds')

        Args:
            name: Name of the run.
            note: Markdown.
            group: Runs with the same group belong together; empty for none.
            archived: Archive or unarchive the run: searches skip archived runs unless they name
                archived_at.

        Raises:
            ParameterError: If a name is empty or a group has characters that do not survive a URL.
        """
        changes: dict[str, Any] = {}
        if name is not None:
            changes["name"] = name.strip() or require_name(name, "run")
        if note is not None:
            changes["note"] = note
        if group is not None:
            changes["group"] = require_name(group, "group") if group else ""
        if archived is not None:
            changes["archived_at"] = now() if archived else None
        self._change(changes)

    def delete_tags(self, names: Iterable[str]) -> None:
        """Remove tags; tags that the run lacks are ignored."""
        self.store.metadata.runs.delete_tags(self.record.run_id, list(names))
        self._change({})

    def delete(self) -> list[str]:
        """Delete the run and all nested runs; `restore` brings them back until ``penstock gc``.

        Returns:
            The ids of all that are deleted now.

        Raises:
            ConflictError: If any of them is running, or produced a version in production or
                staging.
        """
        self._change({})  # others may have changed it since it was read
        # Runs deleted earlier retain their own time of deletion: restore must not bring them back.
        family = [run for run in self._family() if run.deleted_at is None]
        for run in family:
            self._require_unneeded(run)
        # One moment for all: restore finds the family by it.
        moment = now()
        for run in family:
            self.store.metadata.runs.update(run.run_id, deleted_at=moment)
        self._change({})
        return [run.run_id for run in family]

    def restore(self) -> list[str]:
        """Restore a deleted run, and the nested runs that were deleted with that run.

        Returns:
            The ids of all that are back.
        """
        self._change({})  # others may have changed it since it was read
        deleted_at = self.record.deleted_at
        if deleted_at is None:
            return []
        back = [run for run in self._family() if run.deleted_at == deleted_at]
        for run in back:
            self.store.metadata.runs.update(run.run_id, deleted_at=None)
        self._change({})
        return [run.run_id for run in back]

    def _change(self, changes: dict[str, Any]) -> None:
        raise NotImplementedError

    def _family(self) -> list[RunRecord]:
        """Return the run and all nested runs, parents first."""
        family = [self.record]
        for run in family:
            family += children(self.store, run.run_id)
        return family

    def _require_unneeded(self, run: RunRecord) -> None:
        if run.state is RunState.RUNNING:
            raise ConflictError(
                what=f"Run {run.run_id} ({run.name}) is running and cannot be deleted.",
                fix="Stop it first.",
                run_id=run.run_id,
            )
        needed = self.store.metadata.models.search_versions(
            f"run_id = '{run.run_id}' and stage in ('production', 'staging')"
        )
        if needed:
            raise ConflictError(
                what=f"Run {run.run_id} made {needed[0].ref}, which is in {needed[0].stage}.",
                why="What serves must stay traceable to the rows that made it.",
                fix=f"Promote a different version first: penstock promote {needed[0].model}@VERSION"
                if needed[0].stage is Stage.PRODUCTION
                else f"Archive it first: penstock archive {needed[0].ref}",
                run_id=run.run_id,
            )


def children(store: "Store", run_id: str) -> list[RunRecord]:
    """List the runs nested in a run, archived and deleted runs included."""
    any_life = "(deleted_at is null or deleted_at is not null or archived_at is null)"
    return store.metadata.runs.search(
        f"parent_run_id = '{run_id}' and {any_life}", order_by="created_at", limit=_SEARCHED
    )
