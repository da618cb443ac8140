"""Names that a kernel knows before any cell, and names that only Python 2 knows."""

import builtins

from penstock.notebooks._magics import AUTOMAGIC

_IPYTHON = (
    "In Out _ __ ___ _i _ii _iii _ih _oh _dh get_ipython display exit quit open __name__ __doc__ "
    "__builtin__ __builtins__ __loader__ __spec__ __package__ _exit_code __session__"
)
# Further ones of IPython, which a cell of a single line calls without a sign if no variable has the name.
AUTOMATIC = AUTOMAGIC | frozenset(
    [
        "debug",
        "ed",
        "edit",
        "gui",
        "logon",
        "logoff",
        "lsmagic",
        "macro",
        "magic",
        "notebook",
        "page",
        "pdb",
        "popd",
        "pprint",
        "precision",
        "pushd",
        "quickref",
        "recall",
        "rep",
        "rerun",
        "save",
        "sc",
        "sx",
        "system",
        "tb",
        "unalias",
    ]
)
KNOWN = frozenset({*dir(builtins), *_IPYTHON.split()})
PYTHON_2 = frozenset(
    [
        "unicode",
        "xrange",
        "raw_input",
        "unichr",
        "long",
        "basestring",
        "execfile",
        "reduce",
        "cmp",
        "file",
        "coerce",
    ]
)
