"""Notebooks: .ipynb -> findings, a recorded run, a pipeline with tests, or a script kept in step."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.notebooks._check import NotebookReport as NotebookReport
    from penstock.notebooks._check import check_notebook as check_notebook
    from penstock.notebooks._check import check_notebooks as check_notebooks
    from penstock.notebooks._check import find_notebooks as find_notebooks
    from penstock.notebooks._document import Cell as Cell
    from penstock.notebooks._document import Notebook as Notebook
    from penstock.notebooks._document import read_notebook as read_notebook
    from penstock.notebooks._finding import RULES as RULES
    from penstock.notebooks._finding import FindingLevel as FindingLevel
    from penstock.notebooks._finding import NotebookFinding as NotebookFinding
    from penstock.notebooks._sarif import to_sarif as to_sarif

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "RULES": "_finding",
        "Cell": "_document",
        "FindingLevel": "_finding",
        "Notebook": "_document",
        "NotebookFinding": "_finding",
        "NotebookReport": "_check",
        "check_notebook": "_check",
        "check_notebooks": "_check",
        "find_notebooks": "_check",
        "read_notebook": "_document",
        "to_sarif": "_sarif",
    },
)
