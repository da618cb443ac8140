"""Findings about a notebook, and the rules with meaning and fix of each."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

FindingLevel = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class NotebookRule:
    """A rule of ``penstock notebook check``.

    Args:
        code: ``NB1`` to ``NB11``.
        title: A few words.
        why: Consequence of a violation.
        fix: The usual repair.
    """

    code: str
    title: str
    why: str
    fix: str


RULES: Mapping[str, NotebookRule] = {
    rule.code: rule
    for rule in (
        NotebookRule(
            "NB1",
            "order of execution",
            "The stored outputs come from another order than the one a reader sees and a run takes.",
            "Restart the kernel, run all cells, and save; or run: penstock notebook run NOTEBOOK",
        ),
        NotebookRule(
            "NB2",
            "undefined name",
            "From top to bottom in a fresh kernel the cell stops with a NameError.",
            "Define or import the name in a cell above.",
        ),
        NotebookRule(
            "NB3",
            "hidden state",
            "The value depends on which cells were executed, and how often: nothing in the file says.",
            "Give each version a name of its own, or make the change in the cell that creates the value.",
        ),
        NotebookRule(
            "NB4",
            "undeclared package",
            "On another machine, or next month, another version is installed, or none.",
            "Declare the package with its version in requirements.txt or pyproject.toml.",
        ),
        NotebookRule(
            "NB5",
            "missing seed",
            "Each execution gives another result, and nobody can tell a change from chance.",
            "Pass random_state=0, or seed the generator in the first cell.",
        ),
        NotebookRule(
            "NB6",
            "absolute path",
            "The path exists on one machine only.",
            "Use a path relative to the notebook, or a parameter.",
        ),
        NotebookRule(
            "NB7",
            "leakage",
            "The model is judged on rows that it has already seen, so the score is too good.",
            "Split first; fit on the training rows only, best inside a scikit-learn Pipeline.",
        ),
        NotebookRule(
            "NB8",
            "magic without a plain form",
            "A plain program cannot do what the line does, so it cannot be promoted or tested.",
            "Write it in Python, or do it outside of the notebook.",
        ),
        NotebookRule(
            "NB9",
            "stored error",
            "The last execution of this cell failed: what follows used an older state.",
            "Repair the cell and run the notebook from top to bottom.",
        ),
        NotebookRule(
            "NB10",
            "unreadable",
            "Nothing can be said about code that Python 3 does not read, and no kernel runs it.",
            "Repair the text; save the file again as a notebook.",
        ),
        NotebookRule(
            "NB11",
            "secret",
            "Whoever reads the file, or its history, can use it.",
            "Read it from the environment, and revoke the one that was written down.",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class NotebookFinding:
    """Something that a rule has found.

    Args:
        rule: ``NB1`` to ``NB11``.
        level: ``error``, ``warning`` or ``info``.
        cell: Position of the cell among all cells, from 1; 0 for the whole file.
        line: Line in the cell, from 1.
        message: The finding, as a sentence.
        fix: How to fix the notebook; the rule's fix if empty.
        cell_id: Id of the cell in the file; may be empty.
        name: The name or value that the finding is about; may be empty.
        suppressed: The reason of a suppression in the cell; None if the finding counts.
    """

    rule: str
    level: FindingLevel
    cell: int
    line: int
    message: str
    fix: str = ""
    cell_id: str = ""
    name: str = ""
    suppressed: str | None = None

    @property
    def why(self) -> str:
        """Consequence of the finding."""
        return RULES[self.rule].why

    @property
    def repair(self) -> str:
        """How to fix the notebook."""
        return self.fix or RULES[self.rule].fix

    def to_json(self) -> dict[str, Any]:
        """Return the finding with reason and fix as plain JSON."""
        return {**asdict(self), "why": self.why, "fix": self.repair}
