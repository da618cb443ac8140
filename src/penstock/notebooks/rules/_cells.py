"""NB8, NB9 and NB10: magics without a plain form, stored errors, text that Python 3 does not read."""

from collections.abc import Iterator

from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks._magics import Magic
from penstock.notebooks.rules._analysis import Analysis, finding

_FORMS = {
    "cd": "os.chdir(…), or better paths relative to the notebook",
    "env": 'os.environ["NAME"] = "value"',
    "set_env": 'os.environ["NAME"] = "value"',
    "mkdir": "Path(…).mkdir(exist_ok=True)",
}


def check_magics(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find magics and shell lines that a plain program cannot have."""
    for cell in analysis.notebook.code_cells:
        for magic in cell.python.magics:
            if magic.kind == "blocking":
                text = magic.text if len(magic.text) <= 80 else magic.text[:77] + "…"  # noqa: PLR2004 - a short line
                message = f"{text!r} has no form in plain Python."
                yield finding(cell, "NB8", "warning", magic.line, message, name=magic.name)
            elif magic.kind == "convertible":
                yield finding(
                    cell,
                    "NB8",
                    "info",
                    magic.line,
                    f"{magic.text!r} belongs elsewhere in a program.",
                    fix=_form(magic),
                    name=magic.name,
                )


def check_errors(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find cells whose stored output is an error."""
    for cell in analysis.notebook.code_cells:
        for output in cell.outputs:
            if output.get("output_type") in {"error", "pyerr"}:
                text = f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"[:200]
                message = f"The stored output is {text}"
                name = str(output.get("ename", ""))
                yield finding(cell, "NB9", "error", 1, message.rstrip(".") + ".", name=name)


def check_readable(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find cells that are no Python 3, and files that are no notebook."""
    notebook = analysis.notebook
    if notebook.problem is not None:
        yield NotebookFinding("NB10", "error", 0, 1, notebook.problem)
    for cell in notebook.code_cells:
        python = cell.python
        if python.tree is None:
            what = "Python 2" if python.is_python_2 else f"no Python ({python.problem})"
            fix = "Convert it to Python 3, for example with 2to3 or futurize." * python.is_python_2
            message = f"The cell is {what}."
            yield finding(cell, "NB10", "error", python.problem_line, message, fix=fix)


def _form(magic: Magic) -> str:
    if magic.is_install:
        return "Declare the packages with their versions in requirements.txt."
    return f"Write {_FORMS[magic.name]}." if magic.name in _FORMS else ""
