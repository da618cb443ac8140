"""Checks of an installation, with fixes."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.health._installation import CheckResult as CheckResult
    from penstock.health._installation import check_installation as check_installation

__getattr__, __dir__, __all__ = lazy_exports(
    __name__, {"CheckResult": "_installation", "check_installation": "_installation"}
)
