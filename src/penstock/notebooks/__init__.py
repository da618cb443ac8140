"""Notebooks: .ipynb -> findings, a recorded run, a pipeline with tests, or a script kept in step."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.notebooks._as_step import execute_contents as execute_contents
    from penstock.notebooks._as_step import notebook_contents as notebook_contents
    from penstock.notebooks._check import NotebookReport as NotebookReport
    from penstock.notebooks._check import check_notebook as check_notebook
    from penstock.notebooks._check import check_notebooks as check_notebooks
    from penstock.notebooks._check import find_notebooks as find_notebooks
    from penstock.notebooks._document import Notebook as Notebook
    from penstock.notebooks._document import NotebookCell as NotebookCell
    from penstock.notebooks._document import read_notebook as read_notebook
    from penstock.notebooks._finding import RULES as RULES
    from penstock.notebooks._finding import FindingLevel as FindingLevel
    from penstock.notebooks._finding import NotebookFinding as NotebookFinding
    from penstock.notebooks._kernel import CellRun as CellRun
    from penstock.notebooks._run import NOTEBOOK_TAG as NOTEBOOK_TAG
    from penstock.notebooks._run import NotebookResult as NotebookResult
    from penstock.notebooks._run import run_notebook as run_notebook
    from penstock.notebooks._sarif import to_sarif as to_sarif

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "RULES": "_finding",
        "NotebookCell": "_document",
        "CellRun": "_kernel",
        "FindingLevel": "_finding",
        "NOTEBOOK_TAG": "_run",
        "Notebook": "_document",
        "NotebookFinding": "_finding",
        "NotebookReport": "_check",
        "NotebookResult": "_run",
        "check_notebook": "_check",
        "check_notebooks": "_check",
        "execute_contents": "_as_step",
        "find_notebooks": "_check",
        "notebook_contents": "_as_step",
        "read_notebook": "_document",
        "run_notebook": "_run",
        "to_sarif": "_sarif",
    },
)
