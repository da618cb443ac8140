"""``sync_notebook``: an .ipynb and a percent script kept equal, three-way; nothing is ever overwritten by force."""

import difflib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from penstock.core import (
    ConflictError,
    NotFoundError,
    PenstockError,
    digest_bytes,
    find_project,
    require,
)
from penstock.notebooks._document import source_text

SyncAction = Literal["unchanged", "script written", "notebook written"]
SyncSide = Literal["notebook", "script"]
_ATTRIBUTES = "*.ipynb filter=penstock diff=penstock"
_PURPOSE = "pairing notebooks with scripts"
_EMPTY_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
Pair = tuple[str, str, tuple[str, ...]]  # kind, source, tags


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The result of a sync.

    Args:
        notebook: The notebook.
        script: The percent script.
        action: The action taken.
        outputs_dropped: Positions of cells whose text changed, so that their outputs are gone.
    """

    notebook: Path
    script: Path
    action: SyncAction
    outputs_dropped: Sequence[int] = ()


def sync_notebook(
    path: str | Path, *, script: str | Path | None = None, use: SyncSide | None = None
) -> SyncResult:
    """Bring a notebook and the percent script to the same cells.

    The side that changed since the last sync is written to the second file. Ids, metadata and
    outputs of cells with unchanged text are kept. If both changed, nothing is written.

    Args:
        path: The notebook, or the script.
        script: The script; by default the notebook's name with ``.py``.
        use: The side to take where both have changed.

    Raises:
        NotFoundError: If neither file exists.
        ConflictError: If both have changed since the last sync; ``cells`` has the three versions.
        PenstockError: If a file is no notebook, or a cell would not survive the way there and back.
        MissingPackageError: If jupytext is not installed.
    """
    path = Path(path)
    notebook = path.with_suffix(".ipynb")
    script = Path(script) if script is not None else path.with_suffix(".py")
    work = _Sync(notebook, script)
    return work.run(use)


def cleaned(text: str) -> str:
    """Return a notebook's text without outputs, counts and times: the text for a commit.

    >>> cell = '{"cell_type": "code", "source": "1", "outputs": [1], "execution_count": 7}'
    >>> cleaned('{"cells": [' + cell + '], "nbformat": 4}').count("7")
    0

    A text that is no notebook of format 4 is returned unchanged.
    """
    try:
        document = json.loads(text)
        cells = document["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
            for name in ("execution", "ExecuteTime", "collapsed", "scrolled"):
                cell.get("metadata", {}).pop(name, None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return text
    document.get("metadata", {}).pop("widgets", None)
    return _json(document)


def percent_text(text: str) -> str:
    """Return a notebook's text as a percent script, for readable diffs; else the text itself."""
    try:
        return _to_script(_pairs(json.loads(text)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


def set_up_git(folder: Path) -> list[Path]:
    """Make git store notebooks without outputs, and show their differences as scripts.

    Args:
        folder: A folder of the repository.

    Returns:
        The files changed: the repository's settings and the ``.gitattributes`` file.

    Raises:
        PenstockError: If the folder is in no repository.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel"))
    settings = {
        "filter.penstock.clean": "penstock notebook clean",
        "filter.penstock.smudge": "cat",
        "diff.penstock.textconv": "penstock notebook clean --text",
    }
    for name, value in settings.items():
        _git(root, "config", name, value)
    attributes = root / ".gitattributes"
    old = attributes.read_text(encoding="utf-8") if attributes.exists() else ""
    if _ATTRIBUTES not in old.splitlines():
        end = "" if not old or old.endswith("\n") else "\n"
        _replace(attributes, f"{old}{end}{_ATTRIBUTES}\n")
    return [root / ".git" / "config", attributes]


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 - git, with our own words
        ["git", "-C", str(folder), *words],  # noqa: S607 - the user's git
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PenstockError(
            what=f"git refused: {done.stderr.strip()}",
            why="The filter belongs to a repository.",
            fix="Run it in a git repository, or run: git init",
        )
    return done.stdout.strip()


class _Sync:
    """A notebook, a script, and their cells at the last sync."""

    def __init__(self, notebook: Path, script: Path) -> None:
        self._notebook, self._script = notebook, script
        place = f"{notebook.resolve()}\n{script.resolve()}".encode()
        name = digest_bytes(place).removeprefix("sha256:")[:32]
        self._base = find_project(notebook.parent) / ".penstock" / "notebooks" / f"{name}.json"

    def run(self, use: SyncSide | None) -> SyncResult:
        document = self._read_notebook()
        there = self._read_script()
        if document is None and there is None:
            raise NotFoundError(
                what=f"There is neither {self._notebook} nor {self._script}.",
                fix="Name a notebook, or a percent script.",
            )
        here = None if document is None else _as_in_script(self._notebook, _pairs(document))
        if here == there:
            self._remember(here or [])
            return SyncResult(self._notebook, self._script, "unchanged")
        side = self._side(here, there, use)
        if side == "notebook":
            return self._write_script(here or [])
        return self._write_notebook(document, there or [])

    def _side(
        self, here: list[Pair] | None, there: list[Pair] | None, use: SyncSide | None
    ) -> SyncSide:
        """Return the side to take."""
        if here is None or there is None:
            return "script" if here is None else "notebook"
        base = self._read_base()
        if base is not None and base == there:
            return "notebook"
        if base is not None and base == here:
            return "script"
        if use is not None:
            return use
        raise _conflict(self._notebook, self._script, base, here, there)

    def _write_script(self, pairs: list[Pair]) -> SyncResult:
        _replace(self._script, _to_script(pairs))
        self._remember(pairs)
        return SyncResult(self._notebook, self._script, "script written")

    def _write_notebook(self, document: dict[str, Any] | None, pairs: list[Pair]) -> SyncResult:
        old = document or {
            "cells": [],
            "metadata": _EMPTY_METADATA,
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        cells, dropped = _merged(old["cells"], pairs, with_ids=old.get("nbformat_minor", 0) >= 5)  # noqa: PLR2004 - the format has ids since
        _replace(self._notebook, _json({**old, "cells": cells}))
        self._remember(pairs)
        return SyncResult(self._notebook, self._script, "notebook written", dropped)

    def _read_notebook(self) -> dict[str, Any] | None:
        if not self._notebook.exists():
            return None
        try:
            document: dict[str, Any] = json.loads(self._notebook.read_text(encoding="utf-8"))
            _pairs(document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PenstockError(
                what=f"{self._notebook} is no notebook of format 4.",
                why="Only such a notebook can be written back without a loss.",
                fix=f"Convert it: jupyter nbconvert --to notebook --inplace {self._notebook}",
            ) from error
        return document

    def _read_script(self) -> list[Pair] | None:
        if not self._script.exists():
            return None
        return _from_script(self._script.read_text(encoding="utf-8"))

    def _read_base(self) -> list[Pair] | None:
        try:
            document = json.loads(self._base.read_text(encoding="utf-8"))
            return [(kind, source, tuple(tags)) for kind, source, tags in document]
        except (OSError, ValueError):
            return None

    def _remember(self, pairs: Sequence[Pair]) -> None:
        self._base.parent.mkdir(parents=True, exist_ok=True)
        _replace(self._base, json.dumps(list(pairs)))


def _pairs(document: Mapping[str, Any]) -> list[Pair]:
    return [
        (
            cell["cell_type"],
            source_text(cell["source"]),
            tuple(cell.get("metadata", {}).get("tags", ())),
        )
        for cell in document["cells"]
    ]


def _to_script(pairs: Sequence[Pair]) -> str:
    jupytext = require("jupytext", extra="notebooks", purpose=_PURPOSE)
    v4 = require("nbformat.v4", extra="notebooks", purpose=_PURPOSE)
    makers = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell, "raw": v4.new_raw_cell}
    cells = [
        makers[kind](source, metadata={"tags": list(tags)} if tags else {})
        for kind, source, tags in pairs
    ]
    plain = {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,-all"}
    metadata = {"jupytext": plain, "kernelspec": _EMPTY_METADATA["kernelspec"]}
    text: str = jupytext.writes(v4.new_notebook(cells=cells, metadata=metadata), fmt="py:percent")
    return text


def _from_script(text: str) -> list[Pair]:
    jupytext = require("jupytext", extra="notebooks", purpose=_PURPOSE)
    return _pairs(jupytext.reads(text, fmt="py:percent"))


def _as_in_script(notebook: Path, pairs: list[Pair]) -> list[Pair]:
    """Return a notebook's cells as a script gives them back: without blank lines around them.

    Raises:
        PenstockError: If a script would change more than that.
    """
    back = _from_script(_to_script(pairs))
    same = [(kind, source.strip(), tags) for kind, source, tags in back]
    wanted = [(kind, source.strip(), tags) for kind, source, tags in pairs]
    if same != wanted or _from_script(_to_script(back)) != back:
        raise _unstable(notebook, wanted, same)
    return back


def _merged(
    old: Sequence[Mapping[str, Any]], pairs: Sequence[Pair], *, with_ids: bool
) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the cells of a script with ids, metadata and outputs of the notebook's own."""
    v4 = require("nbformat.v4", extra="notebooks", purpose=_PURPOSE)
    known = [(cell["cell_type"], source_text(cell["source"]).strip()) for cell in old]
    new = [(kind, source.strip()) for kind, source, _ in pairs]
    origin: dict[int, int] = {}
    matcher = difflib.SequenceMatcher(a=known, b=new, autojunk=False)
    for _, a0, a1, b0, b1 in matcher.get_opcodes():
        origin.update(zip(range(b0, b1), range(a0, a1), strict=False))
    cells, dropped = [], []
    for place, (kind, source, tags) in enumerate(pairs):
        from_old = old[origin[place]] if place in origin else None
        if from_old is None or from_old["cell_type"] != kind:
            fresh = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell}
            cell = dict(fresh.get(kind, v4.new_raw_cell)(source))
            cell = cell if with_ids else {k: v for k, v in cell.items() if k != "id"}
        else:
            cell = dict(from_old)
            if source_text(cell["source"]).strip() != source.strip():
                dropped += [place + 1] if cell.get("outputs") else []
                cell["source"] = source.splitlines(keepends=True)
                cell |= {"outputs": [], "execution_count": None} if kind == "code" else {}
        cell["metadata"] = _metadata(cell.get("metadata", {}), tags)
        cells.append(cell)
    return cells, dropped


def _metadata(old: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    rest = {name: value for name, value in old.items() if name != "tags"}
    return {**rest, "tags": list(tags)} if tags else rest


def _conflict(
    notebook: Path,
    script: Path,
    base: list[Pair] | None,
    here: list[Pair],
    there: list[Pair],
) -> ConflictError:
    since = "since the last sync" if base is not None else "and were never synced here"
    return ConflictError(
        what=f"{notebook.name} and {script.name} both changed {since}.",
        why="Writing either would lose the other's changes; nothing was written.",
        fix="Bring them together by hand and sync, or take one: --use notebook, --use script.",
        differences=_three_way(base, here, there),
    )


def _three_way(
    base: list[Pair] | None, here: list[Pair], there: list[Pair]
) -> dict[str, list[str]]:
    """Return the changes of each side since the last sync, as lines of a diff."""

    def lines(pairs: Sequence[Pair]) -> list[str]:
        return [line for pair in pairs for line in [f"# %% {pair[0]}", *pair[1].splitlines()]]

    start = lines(base if base is not None else here)
    sides = {"notebook": lines(here), "script": lines(there)}
    return {
        side: [*difflib.unified_diff(start, side_pairs, "last sync", side, lineterm="", n=2)]
        for side, side_pairs in sides.items()
    }


def _unstable(notebook: Path, pairs: Sequence[Pair], back: Sequence[Pair]) -> PenstockError:
    place = next(
        (n for n, (a, b) in enumerate(zip(pairs, back, strict=False), start=1) if a != b),
        min(len(pairs), len(back)) + 1,
    )
    return PenstockError(
        what=f"Cell {place} of {notebook.name} would not come back from a script as it is.",
        why="A sync must not change a cell's text.",
        fix="Look for lines that begin with '# %%', blank lines at its end, or other white space.",
        cell=place,
    )


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write a file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(number, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
    Path(name).replace(path)
