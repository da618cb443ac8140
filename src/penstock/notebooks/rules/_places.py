"""NB6 and NB11: paths of one machine, and secrets written down."""

import ast
import json
import re
from collections.abc import Iterator

from penstock.notebooks._document import NotebookCell, source_text
from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks.rules._analysis import Analysis, finding

_PATH = re.compile(
    r"^([A-Za-z]:[\\/](?![\\/])|\\\\\w+\\|~[\w-]*/|/(home|Users|content|kaggle|mnt|data|root|tmp|var|opt|srv|media"
    r"|Volumes|dbfs|gdrive|scratch|work|workspace|nfs)/)"
)
_SHELL_PATH = re.compile(
    r"(?<![\w/.:])(/(?:home|Users|content|kaggle|mnt|root|media|Volumes)/[^\s'\";]+)"
)
_READERS = re.compile(
    r"^(read_|load|open|imread|from_file|to_csv|to_parquet|to_pickle|savefig|listdir|chdir|glob|walk|Path|dump|save)"
)
_KEYS = (
    ("an AWS access key", re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})\b")),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("an OpenAI key", re.compile(r"\bsk-(?:proj-)?[A-Za-z0-9_-]{24,}")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z]{30,}\b")),
    ("a password in an address", re.compile(r"\b\w+://[^\s/:@'\"{}]+:[^\s/:@'\"{}$]{3,}@[\w.-]+")),
)
_PICTURES = re.compile(r"(image/(?!svg)|audio/|video/|font/|application/(pdf|octet-stream))")
_SECRET_NAME = re.compile(
    r"(^|_)(password|passwd|pwd|secret|token|api_?key|access_?key|auth)(_|$)", re.IGNORECASE
)
_TOLD_BY_NAME = re.compile(  # the name or place of a secret is none
    r"_(name|id|path|file|filename|url|uri|env|var|variable|label|field|header|column|prompt|type|scope|arn)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"^$|^[<\[{(]|^(your|my|xxx|\*+|\.\.\.|none|null|test|example|changeme|todo|password$|secret$|token$|enter[_-]?\w*|replace|insert|put|fill)|[<>]|\s|x{4,}|"
    r"\*{3,}|your[_-]?(own|api|key|token|secret|password|info)|^[A-Z]+(_[A-Z]+)+$",
    re.IGNORECASE,
)


def check_paths(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find absolute paths in texts and shell lines."""
    for cell in analysis.notebook.code_cells:
        seen: set[str] = set()
        for text, line in [*_paths(cell), *_shell_paths(cell)]:
            if text not in seen:
                seen.add(text)
                message = f"{_shown(text)} is a path of one machine."
                yield finding(cell, "NB6", "warning", line, message, fix=_fix(text), name=text)


def check_secrets(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find keys, tokens and passwords in sources and outputs; they are never shown whole."""
    for cell in analysis.notebook.cells:
        yield from _keys(cell, cell.source, "")
        for output in cell.outputs:
            yield from _keys(cell, _output_text(output), " in the output")
        if cell.is_code:
            yield from _passwords(cell)


def _paths(cell: NotebookCell) -> Iterator[tuple[str, int]]:
    tree = cell.python.tree or ast.Module([], [])
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in texts and _PATH.match(text):
                yield text, node.lineno
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=[first, *_]):
                is_root = isinstance(first, ast.Constant) and str(first.value).startswith("/")
                if is_root and _READERS.match(name) and isinstance(first, ast.Constant):
                    yield str(first.value), node.lineno


def _shell_paths(cell: NotebookCell) -> Iterator[tuple[str, int]]:
    for magic in cell.python.magics:
        for match in _SHELL_PATH.finditer(magic.argument):
            yield match[1], magic.line


def _fix(text: str) -> str:
    if text.startswith("/content"):
        return "It is Google Colab's; take the folder as a parameter of the notebook."
    if text.startswith("/kaggle"):
        return "It is Kaggle's; take the folder as a parameter of the notebook."
    return ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")  # noqa: PLR2004 - a short line


def _output_text(output: object) -> str:
    if not isinstance(output, dict):
        return ""
    data = output.get("data")
    texts = data.items() if isinstance(data, dict) else ()
    parts = [output.get("text"), *(text for kind, text in texts if not _PICTURES.match(kind))]
    plain = [
        source_text(part) if not isinstance(part, dict) else json.dumps(part) for part in parts
    ]
    return "\n".join(text for text in plain if len(text) < 1 << 20)


def _keys(cell: NotebookCell, text: str, where: str) -> Iterator[NotebookFinding]:
    for what, pattern in _KEYS:
        match = pattern.search(text)
        if match:
            line = text.count("\n", 0, match.start()) + 1 if not where else 1
            message = f"{what[0].upper()}{what[1:]}{where}: {match.group()[:4]}…"
            yield finding(cell, "NB11", "error", line, message, name=what)


def _passwords(cell: NotebookCell) -> Iterator[NotebookFinding]:
    for node in ast.walk(cell.python.tree or ast.Module([], [])):
        match node:
            case ast.Assign(targets=[target], value=ast.Constant(value=str(text))):
                name = getattr(target, "id", getattr(target, "attr", ""))
                if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                    name = str(target.slice.value)
            case ast.keyword(arg=str(name), value=ast.Constant(value=str(text))):
                pass
            case _:
                continue
        is_secret = _SECRET_NAME.search(name) and not _TOLD_BY_NAME.search(name)
        if is_secret and not _PLACEHOLDER.search(text):
            message = f"{name} holds a secret as plain text."
            yield finding(cell, "NB11", "error", node.lineno, message, name=name)
