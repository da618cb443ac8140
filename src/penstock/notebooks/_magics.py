"""IPython's magics and shell lines by the meaning for a plain program."""

import re
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
PYTHON_CELLS = frozenset(["time", "timeit", "prun", "capture", "memit", "snakeviz"])
# Line magics with a Python statement behind them.
PYTHON_LINES = frozenset(["time", "timeit", "prun", "memit"])
# IPython runs these without a sign before them (automagic), if the line is no Python and the name no variable.
AUTOMAGIC = frozenset(
    [
        "pip",
        "conda",
        "mamba",
        "uv",
        "cd",
        "ls",
        "ll",
        "lf",
        "la",
        "pwd",
        "cat",
        "cp",
        "mv",
        "rm",
        "rmdir",
        "mkdir",
        "man",
        "more",
        "less",
        "who",
        "whos",
        "who_ls",
        "run",
        "load",
        "matplotlib",
        "pylab",
        "load_ext",
        "reload_ext",
        "autoreload",
        "config",
        "time",
        "timeit",
        "prun",
        "env",
        "set_env",
        "history",
        "hist",
        "reset",
        "xdel",
        "pinfo",
        "psearch",
        "psource",
        "pycat",
        "pfile",
        "pdef",
        "pdoc",
        "bookmark",
        "dhist",
        "alias",
        "colors",
        "xmode",
        "logstart",
        "save",
        "store",
        "macro",
        "edit",
        "clear",
    ]
)
# What IPython has beyond the lists above, without a way to define names of the notebook except by an option.
_PLAIN = frozenset(
    [
        "bash",
        "sh",
        "cmd",
        "script",
        "perl",
        "ruby",
        "python",
        "python2",
        "python3",
        "pypy",
        "writefile",
        "file",
        "system",
        "sx",
        "sc",
        "alias",
        "unalias",
        "alias_magic",
        "bookmark",
        "cat",
        "cp",
        "mv",
        "rm",
        "rmdir",
        "man",
        "more",
        "less",
        "clear",
        "dhist",
        "dirs",
        "popd",
        "pushd",
        "gui",
        "killbgscripts",
        "logoff",
        "logon",
        "logstart",
        "logstate",
        "logstop",
        "magic",
        "pastebin",
        "pprint",
        "pycat",
        "recall",
        "rehashx",
        "rep",
        "rerun",
        "reset",
        "reset_selective",
        "save",
        "tb",
        "unload_ext",
        "xdel",
        "SVG",
        "HTML",
        "shell",
        "tensorflow_version",
    ]
)
# ``%%bash --out text``, ``%%R -o frame``
_BINDING = re.compile(
    r"(?:^|\s)(?:--(?:out|err|proc|output)[ =]|-o\s*)([A-Za-z_]\w*(?:,[A-Za-z_]\w*)*)"
)
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
        """Whether the magic can define names that the text does not show; any of an extension may."""
        if self.name in OPAQUE:
            return True
        return self.name not in _PLAIN and self.name not in "!?" and self.kind == "blocking"

    @property
    def bound(self) -> tuple[str, ...]:
        """Names that the magic binds by an option, such as ``%%bash --out text``."""
        if not self.is_cell or self.name in PYTHON_CELLS:
            return ()
        groups = _BINDING.findall(self.argument.partition(" -c ")[0])
        return tuple(name for group in groups for name in group.split(","))

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
