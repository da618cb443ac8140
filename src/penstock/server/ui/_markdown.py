"""Markdown to inert HTML: no raw HTML, no images, only web links."""

from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


def markdown(text: str) -> Markup:
    """Render a note or a model card.

    >>> print(markdown("**bold** <b>raw</b>").strip())
    <p><strong>bold</strong> &lt;b&gt;raw&lt;/b&gt;</p>
    """
    return Markup(_renderer().render(text))  # noqa: S704 - the renderer escapes all raw HTML


@lru_cache(maxsize=1)
def _renderer() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("commonmark", {"html": False, "linkify": False})
    # An image would be a request to any address in the text.
    renderer.enable("table").disable("image")
    renderer.validateLink = _is_web_link  # type: ignore[method-assign]  # its documented hook
    return renderer


def _is_web_link(url: str) -> bool:
    return url.strip().lower().startswith(("http://", "https://", "/", "#"))
