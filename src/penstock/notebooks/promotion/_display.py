"""Statements that only show something, or set how libraries behave; unknown statements are kept."""

import ast
import re

from penstock.notebooks._scopes import root_name
from penstock.notebooks.rules import Analysis

_PICTURES = ("matplotlib", "seaborn", "plotly", "IPython.display", "pylab")
_AXES = re.compile(r"^(ax|axs|axes|fig)\d*$")
# Methods of figures and axes, by how they begin.
_DRAWS = (
    "plot", "hist", "set", "legend", "grid", "scatter", "bar", "show", "tight_layout", "imshow", "subplots",
    "suptitle", "text", "annotate", "ax", "fill_between", "tick_params", "update_", "add_trace", "pie",
    "boxplot", "errorbar", "colorbar", "autofmt", "invert_", "matshow", "contour",
)  # fmt: skip
_SHOWING = frozenset({"print", "display", "pprint.pprint"})
# Methods of frames and arrays that return something new and change nothing.
_PURE = frozenset(
    [
        "head",
        "tail",
        "info",
        "describe",
        "isnull",
        "isna",
        "notnull",
        "sum",
        "mean",
        "median",
        "std",
        "min",
        "max",
        "value_counts",
        "nunique",
        "unique",
        "corr",
        "dtypes",
        "sample_",
        "copy",
        "groupby",
        "round",
        "sort_values",
        "sort_index",
        "count",
        "any",
        "all",
        "to_frame",
        "reset_index",
        "agg",
        "size",
        "items",
        "keys",
        "values",
        "astype",
        "shape",
        "len",
        "format",
        "get_params",
        "crosstab",
        "idxmax",
        "idxmin",
        "quantile",
        "abs",
        "nlargest",
        "nsmallest",
        "style",
        "get_feature_names_out",
    ]
)
_PURE_CALLS = frozenset(["len", "sorted", "list", "set", "tuple", "dict", "str", "int", "float", "round", "max", "min", "sum", "abs", "range", "zip", "enumerate", "type", "repr", "format", "isinstance"])  # fmt: skip
_SETTINGS = frozenset(
    [
        "warnings.filterwarnings",
        "warnings.simplefilter",
        "pandas.set_option",
        "numpy.set_printoptions",
        "numpy.seterr",
        "matplotlib.use",
        "matplotlib.pyplot.style.use",
        "matplotlib.pyplot.ion",
        "matplotlib.pyplot.ioff",
        "matplotlib.pyplot.rc",
        "seaborn.set",
        "seaborn.set_style",
        "seaborn.set_theme",
        "seaborn.set_palette",
        "seaborn.set_context",
        "logging.basicConfig",
        "sklearn.set_config",
        "polars.Config.set_tbl_rows",
    ]
)


def is_setting(node: ast.AST, analysis: Analysis) -> bool:
    """Return whether a statement only sets how a library warns or shows."""
    if isinstance(node, ast.Assign):
        target = ast.unparse(node.targets[0])
        return "rcParams" in target or target.startswith(("pd.options", "pandas.options"))
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and analysis.dotted(call.func) in _SETTINGS


def is_display(node: ast.AST, analysis: Analysis, *, assigned: bool = False) -> bool:
    """Return whether a statement shows something and does nothing else.

    Args:
        node: The statement.
        analysis: The notebook's, for the meaning of names.
        assigned: Whether an assignment of a picture counts, whose name is never read.
    """
    match node:
        case ast.Expr(value=value):
            return _shows(value, analysis)
        case ast.Pass():
            return True
        case ast.For(body=body, orelse=[]) | ast.With(body=body):
            heads = (
                [node.iter] if isinstance(node, ast.For) else [i.context_expr for i in node.items]
            )
            return all(
                _is_pure(head, analysis) or _shows(head, analysis) for head in heads
            ) and all(is_display(each, analysis, assigned=assigned) for each in body)
        case ast.If(test=test, body=body, orelse=orelse):
            return _is_pure(test, analysis) and all(
                is_display(each, analysis, assigned=assigned) for each in [*body, *orelse]
            )
        case ast.Assign(value=value) if assigned:
            return isinstance(value, ast.Call) and _is_picture(value, analysis)
    return False


def _shows(node: ast.AST, analysis: Analysis) -> bool:
    if not isinstance(node, ast.Call):
        return _is_pure(node, analysis)
    arguments = [*node.args, *(each.value for each in node.keywords)]
    name = analysis.dotted(node.func)
    if (
        name in _SHOWING or _is_picture(node, analysis) or root_name(node.func) == "get_ipython"
    ):  # only harmless ones are left
        return all(_is_pure(each, analysis) for each in arguments)
    return _is_pure(node, analysis)


def _is_picture(node: ast.Call, analysis: Analysis) -> bool:
    """Return whether a call is a call of a plotting library, or of a figure or axes."""
    name = analysis.dotted(node.func)
    if name.startswith(_PICTURES):
        return "savefig" not in name and "write_" not in name
    if not isinstance(node.func, ast.Attribute) or "savefig" in name or "write_" in name:
        return False
    root = root_name(node.func) or ""
    is_axes = bool(_AXES.match(root)) and node.func.attr.startswith(_DRAWS)
    return is_axes or node.func.attr in {"plot", "hist", "boxplot"} or ".plot." in name


def _is_pure(node: ast.AST, analysis: Analysis) -> bool:
    """Return whether evaluating an expression changes nothing, as far as is known."""
    for each in ast.walk(node):
        if isinstance(each, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom | ast.Lambda):
            return False
        if isinstance(each, ast.Call) and not _is_pure_call(each, analysis):
            return False
    return True


def _is_pure_call(node: ast.Call, analysis: Analysis) -> bool:
    if any(each.arg == "inplace" for each in node.keywords):
        return False
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in _PURE or _is_picture(node, analysis)
    return isinstance(node.func, ast.Name) and node.func.id in _PURE_CALLS
