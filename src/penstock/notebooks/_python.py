"""A cell's text as plain Python: IPython's magics, shell lines and questions are taken out, line by line."""

import ast
import re
import warnings
from dataclasses import dataclass, field

from penstock.notebooks._magics import AUTOMAGIC, PYTHON_CELLS, PYTHON_LINES, Magic

_CELL_MAGIC = re.compile(r"^%%\s*(?P<name>[A-Za-z_]\w*!?|!)\s?(?P<rest>.*)$")
_LINE = re.compile(r"^(?P<indent>\s*)(?P<sign>%{1,2}|!{1,2})\s*(?P<rest>.*)$")
_ASSIGNED = re.compile(
    r"^(?P<indent>\s*)(?P<target>[A-Za-z_][\w.,\s\[\]'\"]*?)\s*=\s*(?P<sign>[%!])\s*(?P<rest>\S.*)$"
)
_QUESTION = re.compile(r"^\s*(\?{1,2}\s*[%\w.*]+|[%\w.*\[\]'\"()]+\s*\?{1,2}|\?{1,2})\s*;?\s*$")
_AUTOMATIC = re.compile(r"^(?P<name>[a-z_]\w*)(?P<rest>\s+[^\s=].*)$")
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.+|In \[\d+\]:|\.{3,}:)(?: |$)")
_PYTHON_2 = re.compile(
    r"^\s*(print\s+[^\s(=,.\[]|print\s*$|print\s*>>|exec\s+['\"\w]|raise\s+\w+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)"
    r"|<>|\bur['\"]|(?<![\w.])0[0-7]+(?![\w.])|`",
    re.MULTILINE,
)
_LISTING = re.compile(r"^\s*l[sl]\s+-[A-Za-z]+\s*$")  # Python too, but nobody subtracts so
_QUOTES = re.compile(r"'''|\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|#.*|[\[({]|[\])}]")


@dataclass(frozen=True)
class PythonCell:
    """The plain Python of a cell; line numbers are those of the cell.

    Args:
        text: Python source; magics are replaced by ``pass`` or by the Python behind them.
        tree: The syntax tree; None if the text is no Python 3.
        magics: Magics and shell lines, in order.
        problem: Why the text does not parse.
        problem_line: Line of the fault.
        is_python_2: Whether the text reads as Python 2.
    """

    text: str
    tree: ast.Module | None
    magics: tuple[Magic, ...] = field(default=())
    problem: str | None = None
    problem_line: int = 1
    is_python_2: bool = False


def read_python(source: str) -> PythonCell:
    r"""Take the magics out of a cell's text and parse the rest; never raises.

    >>> cell = read_python("%matplotlib inline\nx = 1")
    >>> cell.text, [magic.name for magic in cell.magics]
    ('pass\nx = 1', ['matplotlib'])
    """
    source = source.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    source = _without_indent(source)
    tree, _, _ = _parse(source)
    if tree is not None:
        return PythonCell(source, tree)
    text, magics = _take_out(_without_prompts(source))
    tree, problem, line = _parse(text)
    if tree is not None:
        return PythonCell(text, tree, magics)
    return PythonCell(text, None, magics, problem, line, bool(_PYTHON_2.search(text)))


def _parse(text: str) -> tuple[ast.Module | None, str | None, int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # escapes of old texts
            flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            return compile(text, "<cell>", "exec", flags, dont_inherit=True), None, 1
    except SyntaxError as error:
        return None, str(error.msg), error.lineno or 1
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return None, str(error) or type(error).__name__, 1


def _without_indent(source: str) -> str:
    """Remove the first line's indentation from all lines, as IPython does."""
    first = next((line for line in source.split("\n") if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    if not indent:
        return source
    return "\n".join(line.removeprefix(indent) for line in source.split("\n"))


def _without_prompts(source: str) -> str:
    """Remove the prompts of a session that was pasted, as IPython does."""
    first = next((line for line in source.split("\n") if line.strip()), "")
    if not _PROMPT.match(first):
        return source
    return "\n".join(_PROMPT.sub("", line) for line in source.split("\n"))


def _take_out(source: str) -> tuple[str, tuple[Magic, ...]]:
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    magics: list[Magic] = []
    head = _CELL_MAGIC.match(lines[first].lstrip()) if lines else None
    if head is not None:
        name = head["name"]
        magics.append(Magic(lines[first].strip(), first + 1, name, head["rest"].strip(), True))
        if name not in PYTHON_CELLS:
            bound = " = ".join([*magics[0].bound, "None"]) if magics[0].bound else ""
            return "\n".join(
                [*("" for _ in lines[:first]), bound, *("" for _ in lines[first + 1 :])]
            ), tuple(magics)
        # IPython keeps no captured output for a cell that ends in a semicolon.
        is_dropped = name == "capture" and source.rstrip().endswith(";")
        lines[first] = "" if is_dropped else _cell_head(magics[0])
    return "\n".join(_plain_lines(lines, magics)), tuple(magics)


def _cell_head(magic: Magic) -> str:
    """Return the events of a cell magic's line: ``%%capture out`` defines ``out``."""
    names = [word for word in magic.argument.split() if word.isidentifier()]
    return f"{names[0]} = None" if magic.name == "capture" and names else ""


def _plain_lines(lines: list[str], magics: list[Magic]) -> list[str]:
    plain: list[str] = []
    depth, quote, is_continued = 0, "", False
    for number, line in enumerate(lines, start=1):
        if is_continued:  # of a shell line
            is_continued = line.rstrip().endswith("\\")
            plain.append("")
            continue
        special = None if depth or quote else _special(line, number)
        if special is not None:
            magics.append(special[1])
            is_continued = line.rstrip().endswith("\\")
            plain.append(special[0])
            continue
        depth, quote = _nesting(line, depth, quote)
        plain.append(line)
    return plain


def _special(line: str, number: int) -> tuple[str, Magic] | None:
    """Return a special line's plain Python and the magic; None for a line of Python."""
    if (match := _ASSIGNED.match(line)) and _is_no_python(line):
        name, rest = _name(match["sign"], match["rest"])
        code = rest if name in PYTHON_LINES and not rest.startswith("-") else "None"
        text = f"{match['indent']}{match['target']} = {code}"
        return text, Magic(line.strip(), number, name, rest)
    if match := _LINE.match(line):
        name, rest = _name(match["sign"], match["rest"].rstrip("\\"))
        return match["indent"] + _executed_by(name, rest), Magic(line.strip(), number, name, rest)
    match = _AUTOMATIC.match(line)
    if match and match["name"] in AUTOMAGIC and (_LISTING.match(line) or _is_no_python(line)):
        name, rest = match["name"], match["rest"].strip()
        return _executed_by(name, rest), Magic(line.strip(), number, name, rest)
    if _QUESTION.match(line) and _is_no_python(line):
        indent = line[: len(line) - len(line.lstrip())]
        return f"{indent}pass", Magic(line.strip(), number, "?")
    return None


def _executed_by(name: str, rest: str) -> str:
    """Return the Python of a line magic: ``%time x = 1`` binds x."""
    is_kept = name in PYTHON_LINES and rest and not rest.startswith("-")
    if name == "timeit":  # what it binds is lost
        is_kept = is_kept and _is_expression(rest)
    return rest if is_kept else "pass"


def _name(sign: str, rest: str) -> tuple[str, str]:
    if sign.startswith("!"):
        return "!", rest.strip()
    name, _, argument = rest.strip().partition(" ")
    return name, argument.strip()


def _is_no_python(line: str) -> bool:
    return _parse(line.strip())[0] is None


def _is_expression(text: str) -> bool:
    tree = _parse(text)[0]
    return tree is not None and all(isinstance(each, ast.Expr) for each in tree.body)


def _nesting(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Return the open brackets and the open triple quote after a line."""
    place = 0
    if quote:
        end = line.find(quote)
        if end < 0:
            return depth, quote
        place, quote = end + 3, ""
    while (match := _QUOTES.search(line, place)) is not None:
        sign = match.group()
        if sign in {"'''", '"""'}:
            end = line.find(sign, match.end())
            if end < 0:
                return depth, sign
            place = end + 3
            continue
        depth = max(depth + (sign in "[({") - (sign in "])}"), 0) if len(sign) == 1 else depth
        place = match.end()
    return depth, quote
