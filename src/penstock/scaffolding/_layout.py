"""Format Python calls as ``ruff format`` does; apart because independent of penstock."""

from collections.abc import Sequence
from dataclasses import dataclass

LINE = 100
_STEP = "    "


@dataclass(frozen=True, slots=True)
class BracketElement:
    """An element between brackets.

    Attributes:
        text: The element's code, up to the value when ``parts`` is given: ``gates=``.
        parts: A bracketed value that may be laid out over several lines.
        comment: The reason for the element; forces a separate line.
    """

    text: str
    parts: "Bracketed | None" = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Code with brackets: a call, a list, a function's head."""

    opening: str
    items: Sequence[BracketElement]
    closing: str

    @property
    def is_broken(self) -> bool:
        """Whether a comment forces each element on a separate line."""
        return any(item.comment or (item.parts and item.parts.is_broken) for item in self.items)

    def flat(self) -> str:
        """Format the code on a single line."""
        inner = ", ".join(
            item.text + (item.parts.flat() if item.parts else "") for item in self.items
        )
        return f"{self.opening}{inner}{self.closing}"


def lay_out(value: Bracketed, *, indent: int = 0, before: str = "", after: str = "") -> str:
    """Format brackets on a line if they fit, else the elements below, else each on a separate line.

    >>> print(
    ...     lay_out(Bracketed("f(", [BracketElement("a"), BracketElement("b")], ")"), before="x = ")
    ... )
    x = f(a, b)

    Args:
        value: The code to format.
        indent: Depth, in steps of four spaces.
        before: Text in front on the first line.
        after: Text behind on the last line.
    """
    margin = _STEP * indent
    line = f"{margin}{before}{value.flat()}{after}"
    if not value.is_broken and len(line) <= LINE:
        return line
    deeper = margin + _STEP
    inner = value.flat()[len(value.opening) : len(value.flat()) - len(value.closing)]
    if not value.is_broken and len(deeper + inner) <= LINE and value.opening[-1] in "([":
        body = [deeper + inner]
    else:
        body = [_lay_out_item(item, indent + 1) for item in value.items]
    return "\n".join([f"{margin}{before}{value.opening}", *body, f"{margin}{value.closing}{after}"])


def _lay_out_item(item: BracketElement, indent: int) -> str:
    if item.parts is None:
        text = f"{_STEP * indent}{item.text},"
    else:
        text = lay_out(item.parts, indent=indent, before=item.text, after=",")
    if not item.comment:
        return text
    line = f"{text}  # {item.comment}"
    if len(line) <= LINE and "\n" not in text:
        return line
    return f"{_STEP * indent}# {item.comment}\n{text}"
