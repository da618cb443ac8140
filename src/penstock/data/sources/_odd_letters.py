"""Letters of a text file that nobody sees: zeros, zero-width blanks, marks of byte order."""

from penstock.data._finding import Finding
from penstock.data.sources._records import CsvText

INVISIBLE = "\x00\u00ad\u200b\u2060\ufeff"
"""A zero byte, a soft hyphen, a zero-width space, a word joiner and a byte order mark.

Joiners (U+200C, U+200D) and marks of direction are not among them: names and emoji need them.
"""


def remark_unseen(text: CsvText, *, has_header: bool) -> dict[str, Finding]:
    r"""Return a warning for each invisible letter in the values, which stays there.

    >>> from pathlib import Path
    >>> text = CsvText("id,v\n1,a\u200b\n".encode(), ",", Path("a.csv"))
    >>> [finding.message for finding in remark_unseen(text, has_header=True).values()]
    ['a.csv, line 2: U+200B is in a value; it cannot be seen, and makes another value of it.']

    Args:
        text: The file, or a block of it.
        has_header: Whether its first line contains names.
    """
    found: dict[str, Finding] = {}
    begin = text.content.find(b"\n") + 1 if has_header else 0
    for letter in INVISIBLE:
        place = text.content.find(letter.encode(), begin)
        if place >= 0:
            line = text.skipped + text.content.count(b"\n", 0, place) + 1
            found[letter] = Finding(
                "warn",
                "invisible",
                "",
                f"{text.path.name}, line {line}: U+{ord(letter):04X} is in a value; it cannot be seen,"
                " and makes another value of it.",
            )
    return found
