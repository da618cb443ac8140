"""Docstring examples become highlighted blocks; without this, Markdown takes ``>>>`` for a quote."""

import re

import griffe

_EXAMPLE = re.compile(r"(?m)^( *)>>> (?:.*\S.*(?:\n|\Z))+")


class Examples(griffe.Extension):
    """Fences the examples of every docstring before it is read."""

    def on_object(self, *, obj, **_):
        """Called for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(_fence, obj.docstring.value)


def _fence(match):
    indent = match[1]
    return f"{indent}```pycon\n{match[0].rstrip()}\n{indent}```\n"
