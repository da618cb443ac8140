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
    from penstock.notebooks._extension import load_extension as load_extension
    from penstock.notebooks._extension import unload_extension as unload_extension
    from penstock.notebooks._finding import RULES as RULES
    from penstock.notebooks._finding import FindingLevel as FindingLevel
    from penstock.notebooks._finding import NotebookFinding as NotebookFinding
    from penstock.notebooks._kernel import CellRun as CellRun
    from penstock.notebooks._run import NOTEBOOK_TAG as NOTEBOOK_TAG
    from penstock.notebooks._run import NotebookResult as NotebookResult
    from penstock.notebooks._run import run_notebook as run_notebook
    from penstock.notebooks._sarif import to_sarif as to_sarif
    from penstock.notebooks._sync import SyncResult as SyncResult
    from penstock.notebooks._sync import SyncSide as SyncSide
    from penstock.notebooks._sync import cleaned as cleaned
    from penstock.notebooks._sync import percent_text as percent_text
    from penstock.notebooks._sync import set_up_git as set_up_git
    from penstock.notebooks._sync import sync_notebook as sync_notebook
    from penstock.notebooks.promotion import Plan as Plan
    from penstock.notebooks.promotion import PlannedStep as PlannedStep
    from penstock.notebooks.promotion import PromotedNotebook as PromotedNotebook
    from penstock.notebooks.promotion import PromotionDifference as PromotionDifference
    from penstock.notebooks.promotion import compare_with_golden as compare_with_golden
    from penstock.notebooks.promotion import compare_with_notebook as compare_with_notebook
    from penstock.notebooks.promotion import promote_notebook as promote_notebook
    from penstock.provenance import generator_states as generator_states
    from penstock.provenance import set_generator_states as set_generator_states

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
        "Plan": "penstock.notebooks.promotion",
        "PlannedStep": "penstock.notebooks.promotion",
        "PromotedNotebook": "penstock.notebooks.promotion",
        "PromotionDifference": "penstock.notebooks.promotion",
        "check_notebook": "_check",
        "compare_with_golden": "penstock.notebooks.promotion",
        "compare_with_notebook": "penstock.notebooks.promotion",
        "check_notebooks": "_check",
        "execute_contents": "_as_step",
        "find_notebooks": "_check",
        "generator_states": "penstock.provenance",
        "load_extension": "_extension",
        "notebook_contents": "_as_step",
        "promote_notebook": "penstock.notebooks.promotion",
        "read_notebook": "_document",
        "run_notebook": "_run",
        "set_generator_states": "penstock.provenance",
        "SyncResult": "_sync",
        "SyncSide": "_sync",
        "cleaned": "_sync",
        "percent_text": "_sync",
        "set_up_git": "_sync",
        "sync_notebook": "_sync",
        "to_sarif": "_sarif",
        "unload_extension": "_extension",
    },
)
