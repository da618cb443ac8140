"""IPython's magics and shell lines by the meaning for a plain program."""

from dataclasses import dataclass
from typing import Literal

MagicClass = Literal["portable", "convertible", "blocking"]

# Without an effect on values: a program leaves them out, or keeps the Python behind them.
_PORTABLE = frozenset(
    [
        "matplotlib",
        "time",
        "timeit",
        "prun",
        "memit",
        "mprun",
        "lprun",
        "autoreload",
        "load_ext",
        "reload_ext",
        "config",
        "precision",
        "who",
        "whos",
        "who_ls",
        "pwd",
        "ls",
        "ll",
        "pinfo",
        "pinfo2",
        "history",
        "hist",
        "lsmagic",
        "quickref",
        "pdb",
        "debug",
        "xmode",
        "colors",
        "watermark",
        "capture",
        "snakeviz",
        "autosave",
        "doctest_mode",
        "html",
        "markdown",
        "latex",
        "svg",
        "javascript",
        "js",
        "config_inline_backend",
        "aimport",
        "notebook",
        "page",
        "psearch",
        "psource",
        "pdef",
        "pdoc",
        "pfile",
        "tensorboard",
        "memory_profiler",
        "memit",
        "jsroot",
        "black",
        "nb_black",
    ]
)
# With a form in plain Python or in a file of requirements.
_CONVERTIBLE = frozenset(["pip", "conda", "mamba", "uv", "env", "set_env", "cd", "mkdir"])
_SHELL_INSTALLS = ("pip ", "pip3 ", "conda ", "mamba ", "uv pip", "python -m pip", "python3 -m pip")
_SHELL_LOOKS = frozenset(
    [
        "ls",
        "pwd",
        "head",
        "tail",
        "cat",
        "echo",
        "wc",
        "du",
        "df",
        "nvidia-smi",
        "free",
        "whoami",
        "date",
        "uname",
        "which",
        "lscpu",
        "tree",
        "less",
    ]
)
# Code behind these cell magics is the cell's own Python.
PYTHON_CELLS = frozenset(
    ["time", "timeit", "prun", "capture", "memit", "snakeviz", "python", "python3", "py"]
)
# Line magics with a Python statement behind them.
PYTHON_LINES = frozenset(["time", "timeit", "prun", "memit"])
# Names come into the notebook that its text does not show.
OPAQUE = frozenset(
    [
        "run",
        "pylab",
        "load",
        "store",
        "sql",
        "bigquery",
        "loadpy",
        "edit",
        "macro",
        "R",
        "rpull",
        "cython",
    ]
)


@dataclass(frozen=True, slots=True)
class Magic:
    """A magic or a shell line.

    Args:
        text: The line, as written.
        line: Line in the cell, from 1.
        name: Name of the magic; ``!`` for a shell line.
        argument: Text after the name.
        is_cell: True if the whole cell is the argument.
    """

    text: str
    line: int
    name: str
    argument: str = ""
    is_cell: bool = False

    @property
    def kind(self) -> MagicClass:
        """Portable, convertible or blocking."""
        if self.name == "!":
            return _shell_class(self.argument)
        if self.name == "?" or self.name in _PORTABLE:
            return "portable"
        return "convertible" if self.name in _CONVERTIBLE else "blocking"

    @property
    def is_opaque(self) -> bool:
        """Whether the magic can define names that the text does not show."""
        return self.name in OPAQUE

    @property
    def is_install(self) -> bool:
        """Whether the magic installs packages."""
        words = f"{self.name} {self.argument}".replace("! ", "").strip()
        return "install" in words.split() and words.startswith(_SHELL_INSTALLS)


def _shell_class(command: str) -> MagicClass:
    command = command.strip()
    first = command.split(" ", 1)[0]
    if any(sign in command for sign in (">", "|", "&&", ";")) and not command.startswith("pip"):
        return "blocking"
    if command.startswith(_SHELL_INSTALLS):
        return "convertible"
    return "portable" if first in _SHELL_LOOKS or not command else "blocking"
