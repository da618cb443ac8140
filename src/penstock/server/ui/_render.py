"""From Page to a response: Jinja templates with escaping always on, or the JSON twin."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Response
from markupsafe import Markup

from penstock.core import current_identity, to_json
from penstock.http import encode_json
from penstock.server.ui import _format
from penstock.server.ui._guard import CHART_MARK
from penstock.server.ui._markdown import markdown
from penstock.server.ui._page import Page, node_link, path_link
from penstock.server.ui._session import form_token
from penstock.server.ui._static import asset

if TYPE_CHECKING:
    from collections.abc import Callable

_TEMPLATES = Path(__file__).parent / "templates"
_INERT = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def respond(page: Page, *, as_json: bool, status: int = 200) -> Response[Any]:
    """Build the response of a page."""
    if as_json:
        return Response(
            encode_json(to_json(page.data)),
            media_type=MediaType.JSON,
            status_code=status,
            headers=_fresh(),
        )
    template = _environment().get_template(page.template)
    html = template.render(page=page, **page.data, **page.view)
    marks = {CHART_MARK: "1"} if page.charts else {}
    headers = _fresh() | marks
    # "replace": half of a character, which a run may have logged, has no bytes in UTF-8.
    body = html.encode("utf-8", "replace")
    return Response(body, media_type=MediaType.HTML, status_code=status, headers=headers)


def json_bytes(value: Any) -> bytes:
    """Encode records, times and enums as JSON; NaN and infinities become null.

    >>> json_bytes({"a": float("nan"), 1: (2,)})
    b'{"a":null,"1":[2]}'
    """
    return encode_json(value, _plain)


def json_markup(value: Any) -> Markup:
    r"""Encode JSON that is inert inside a script element.

    >>> print(json_markup({"a": "</script>"}))
    {"a":"\u003c/script\u003e"}
    """
    text = json_bytes(value).decode()
    for sign, code in _INERT.items():
        text = text.replace(sign, code)
    return Markup(text)  # noqa: S704 - every sign that could end the element is escaped above


def _fresh() -> dict[str, str]:
    return {"cache-control": "no-store"}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "to_json"):
        return value.to_json()
    if hasattr(value, "item"):
        return value.item()
    return str(value)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Callable[..., Any]] = {
        "ago": _format.ago,
        "exact": _format.exact,
        "duration": _format.duration,
        "number": _format.number,
        "signed": _format.signed,
        "percent": _format.percent,
        "size": _format.size,
        "value_text": _format.value_text,
        "plural": _format.plural,
        "json_markup": json_markup,
        "markdown": markdown,
        "short": lambda digest: str(digest).removeprefix("sha256:")[:12],
    }
    environment.filters.update(filters)
    environment.globals.update(
        asset=asset,
        path_link=path_link,
        node_link=node_link,
        form_token=form_token,
        identity=current_identity,
    )
    return environment
