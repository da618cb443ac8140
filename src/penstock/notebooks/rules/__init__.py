"""The rules of ``penstock notebook check``: a function of the notebook's analysis per rule."""

from penstock.notebooks.rules._analysis import Analysis, analyse
from penstock.notebooks.rules._cells import check_errors, check_magics, check_readable
from penstock.notebooks.rules._hidden_state import check_hidden_state
from penstock.notebooks.rules._leakage import check_leakage
from penstock.notebooks.rules._names import check_names
from penstock.notebooks.rules._order import check_order
from penstock.notebooks.rules._packages import check_packages
from penstock.notebooks.rules._places import check_paths, check_secrets
from penstock.notebooks.rules._randomness import check_seeds

__all__ = [
    "Analysis",
    "analyse",
    "check_errors",
    "check_hidden_state",
    "check_leakage",
    "check_magics",
    "check_names",
    "check_order",
    "check_packages",
    "check_paths",
    "check_readable",
    "check_secrets",
    "check_seeds",
]
