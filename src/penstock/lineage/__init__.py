"""The lineage graph: from predictions back to rows, code and environment, and forward again."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.lineage._lineage import Lineage as Lineage
    from penstock.lineage._lineage import get_lineage as get_lineage
    from penstock.lineage._view_users import list_view_users as list_view_users

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Lineage": "_lineage",
        "get_lineage": "_lineage",
        "list_view_users": "_view_users",
    },
)
