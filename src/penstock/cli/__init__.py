"""The penstock command: the CLI, with no logic beyond parsing and printing; a file per noun."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.cli._entry import main as main
    from penstock.cli._main import cli as cli

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"cli": "_main", "main": "_entry"})
