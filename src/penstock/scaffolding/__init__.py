"""A user's own table in, a short readable pipeline out: the entry for newcomers."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.scaffolding._describe import describe_table as describe_table
    from penstock.scaffolding._model_choice import MODEL_CHOICES as MODEL_CHOICES
    from penstock.scaffolding._model_choice import ModelChoice as ModelChoice
    from penstock.scaffolding._notes import ColumnNote as ColumnNote
    from penstock.scaffolding._notes import TableNotes as TableNotes
    from penstock.scaffolding._notes import TimeNote as TimeNote
    from penstock.scaffolding._project import NewProject as NewProject
    from penstock.scaffolding._project import new_project as new_project

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ColumnNote": "_notes",
        "MODEL_CHOICES": "_model_choice",
        "ModelChoice": "_model_choice",
        "NewProject": "_project",
        "TableNotes": "_notes",
        "TimeNote": "_notes",
        "describe_table": "_describe",
        "new_project": "_project",
    },
)
