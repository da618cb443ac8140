"""Regenerate what the documentation's examples show: ids, digests, times and figures of one run.

    python -m tests.docs.update_pages [PAGE ...]

Each page is worked through as in `test_examples`; the printed output replaces the shown output,
so that an id or a digest is the same wherever a page shows it. Durations stay: a loaded machine
would make every page slow. Where a page elides output with ``…`` the elision stays. Output whose
words have changed beside an elision is printed and left.
"""

import re
import sys
import tempfile
from pathlib import Path

from tests.docs.test_examples import (
    BLOCK,
    DATABASE_HOST,
    FORMS,
    HOME,
    PAGES,
    ROOT,
    TITLE,
    Reader,
    bring_table,
    is_executable,
)

ELISION = "…"


class Writer(Reader):
    """Works through a page and returns the page with the output of this run."""

    def page(self, path):
        text = path.read_text(encoding="utf-8")
        bring_table(path, self.folder)
        if DATABASE_HOST in text:
            self.bring_services()
        return BLOCK.sub(lambda match: self.block(path, match), text)

    def block(self, path, match):
        kind, options, text = match.groups()
        title = TITLE.search(options)
        new = text
        if title and title[1] == "output":
            new = self.shown(path, text)
        elif title:
            self.write(title[1], text)
        elif kind == "python":
            self.python(text)
        elif kind == "console":
            new = self.session(path, text)
        return f"```{kind}{options}\n{new}```"

    def session(self, path, text):
        before, *parts = re.split(r"(?m)^\$ ", text)
        found = [before]
        for part in parts:
            line, newline, expected = part.partition("\n")
            self.printed = ""
            self.console(f"$ {line}\n")
            found.append(
                f"$ {line}{newline}{self.shown(path, expected) if expected.strip() else expected}"
            )
        return "".join(found)

    def shown(self, path, expected):
        printed = self.printed.replace(str(self.folder.resolve()), HOME)
        for name, place in {":8000": f":{self.port}", **self.places}.items():
            printed = printed.replace(place, name)
        printed = "\n".join(line.rstrip() for line in printed.rstrip("\n").split("\n")) + "\n"
        merged = merge(expected, printed)
        if merged is not None:
            return merged
        if ELISION not in expected:
            return printed.lstrip("\n") if not expected.startswith("\n") else printed
        print(f"--- {path.relative_to(ROOT)} shows\n{expected}--- printed\n{printed}")
        return expected


def merge(expected, printed):
    """Return the expected text with the printed ids and figures; None if the words differ."""
    form = "|".join(f"(?:{each})" for each in FORMS.values())
    pattern, kept = "", []
    for piece in re.split(rf"({ELISION}|{form_groups(form)}|\s+)", expected):
        if not piece:
            continue
        if piece == ELISION:
            pattern, mode = pattern + r"(.*?)", "elision"
        elif piece.isspace():
            pattern, mode = pattern + r"(\s*)", "space"
        elif re.fullmatch(form, piece):
            pattern, mode = pattern + f"({form_groups(form)})", "form"
        elif re.fullmatch("[─━]+", piece):
            pattern, mode = pattern + "([─━]*)", "rule"
        else:
            pattern, mode = pattern + f"({re.escape(piece)})", "text"
        kept.append((mode, piece))
    match = re.fullmatch(r"\s*" + pattern, printed, re.DOTALL)
    if match is None:
        return None
    return "".join(
        found if mode == "form" and not re.fullmatch(FORMS["<duration>"], piece) else piece
        for (mode, piece), found in zip(kept, match.groups(), strict=True)
    )


def form_groups(form):
    return re.sub(r"\((?!\?)", "(?:", form)


def main(names):
    chosen = [Path(name).resolve() for name in names] or [*filter(is_executable, PAGES)]
    for path in chosen:
        with tempfile.TemporaryDirectory() as folder:
            writer = Writer(Path(folder))
            (writer.folder / "pyproject.toml").write_text("")
            try:
                path.write_text(writer.page(path), encoding="utf-8")
            finally:
                writer.close()
        print(path.relative_to(ROOT), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
