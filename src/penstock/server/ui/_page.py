"""Page: the result of a page function, and Query: the requested URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from penstock.core import ParameterError


@dataclass(frozen=True, slots=True)
class Page:
    """A page before rendering as HTML or JSON.

    Args:
        template: File in templates/.
        title: For the browser's tab.
        data: The facts: the JSON twin, and the content of the template.
        view: Content for HTML only: drawings, links, choices.
        section: The entry of the menu to mark.
        charts: True if charts are drawn.
        live: True if the page should be reloaded every few seconds, because something runs.
        status: HTTP status.
    """

    template: str
    title: str
    data: Mapping[str, Any]
    view: Mapping[str, Any] = field(default_factory=dict)
    section: str = ""
    charts: bool = False
    live: bool = False
    status: int = 200


@dataclass(frozen=True, slots=True)
class Query:
    """The requested URL: path and parameters, which hold the whole state of a page."""

    path: str
    params: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter's last value."""
        values = self.params.get(name)
        return values[-1].strip() if values else default

    def texts(self, name: str) -> list[str]:
        """Return all values of a repeated parameter, without empty ones."""
        return [value for value in self.params.get(name, ()) if value]

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number, clipped to the range.

        Raises:
            ParameterError: If the value is no whole number.
        """
        text = self.text(name)
        if not text:
            return default
        try:
            return min(max(int(text), low), high)
        except ValueError as error:
            raise ParameterError(
                what=f"{name}={text!r} in the address is no whole number.",
                fix=f"Use a number from {low} to {high}.",
            ) from error

    def link(self, **changes: Any) -> str:
        """Build this URL with some parameters changed; None removes a parameter.

        >>> Query("/runs", {"page": ["2"], "sort": ["name"]}).link(page=None)
        '/runs?sort=name'
        """
        params: dict[str, Any] = {name: list(values) for name, values in self.params.items()}
        params |= changes
        params = {name: value for name, value in params.items() if value not in (None, "", [])}
        return self.path + ("?" + urlencode(params, doseq=True) if params else "")


def node_link(node: str, direction: str = "") -> str:
    """Build the lineage page's URL for a node.

    >>> node_link("version:big-tips@3")
    '/lineage?node=version%3Abig-tips%403'
    """
    params = {"node": node} | ({"direction": direction} if direction else {})
    return "/lineage?" + urlencode(params)


def path_link(*parts: str | int) -> str:
    """Build a path from parts, each escaped.

    >>> path_link("models", "a/b")
    '/models/a%2Fb'
    """
    return "/" + "/".join(quote(str(part), safe="") for part in parts)
