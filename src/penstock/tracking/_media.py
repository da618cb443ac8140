"""``RunMedia``: logging of values for people: pictures, figures, sounds, tables, texts."""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock.core import (
    ArtifactRecord,
    ParameterError,
    StoreError,
    digest_json,
    now,
    require_choice,
    with_article,
)
from penstock.stores import media_type
from penstock.tracking._forgiving import Trouble
from penstock.tracking._histogram import histogram
from penstock.tracking._pictures import Layout, is_drawing, picture, picture_size
from penstock.tracking._series import name_at
from penstock.tracking._sounds import sound, sound_facts

if TYPE_CHECKING:
    from penstock.stores import Store

_log = logging.getLogger(__name__)
Markup = Literal["plain", "markdown", "html"]
_SENTENCE, _LONGEST_NAME = 4, 100  # words, characters
_TEXT_FILE = re.compile(r"[\w./-]{1,200}\.(txt|md|log|html?|json|ya?ml|toml|csv|xml|py)")
_TEXTS: dict[str, str] = {"plain": "text/plain", "markdown": "text/markdown", "html": "text/html"}


def in_order(name: Any, value: Any) -> tuple[str, Any]:
    """Return name and value in order, also if passed in the former order: the value first.

    The name stands first, as in ``log_metric``. The two are exchanged only where the order is
    certain to be the former: the name is not a text, or is a file's path.

    >>> in_order("roc", [1]), in_order([1], "roc"), in_order("notes", "a text")
    (('roc', [1]), ('roc', [1]), ('notes', 'a text'))
    """
    if not isinstance(value, str) or name is None:
        return name, value
    if isinstance(name, str) and not (_is_file(name) and not _is_file(value)):
        return name, value
    return value, name


def text_in_order(name: Any, text: Any) -> tuple[Any, Any]:
    r"""Return name and text in order, also if passed as to MLflow's ``log_text``: the text first.

    Both are texts, so the two are exchanged only where the first is too long for a name and the
    second names a text file. A short text before a file's name is kept as passed, with a warning.

    >>> text_in_order("# Report\nAll is well.", "notes.md")
    ('notes.md', '# Report\nAll is well.')
    """
    if not (isinstance(name, str) and isinstance(text, str)):
        return name, text
    if not _TEXT_FILE.fullmatch(text) or _TEXT_FILE.fullmatch(name):
        return name, text
    if "\n" in name or len(name.split()) >= _SENTENCE or len(name) > _LONGEST_NAME:
        return text, name
    _log.warning(
        "log_text(%r, %r) logs the text %r under the name %r: the name stands first. In MLflow's "
        "order it would be log_text(%r, %r).", name, text, text, name, text, name
    )  # fmt: skip
    return name, text


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


class RunMedia:
    """The media methods of Run; Run provides the store.

    With a step, several artifacts of a name make a series: each is an artifact ``name@step``, and
    ``artifact(name)`` returns the last. The media type is recorded with each and never guessed.
    """

    store: "Store"
    trouble: Trouble

    def log_image(
        self,
        name: str,
        image: object,
        *,
        step: float | None = None,
        caption: str = "",
        layout: Layout | None = None,
    ) -> str:
        """Log a picture, which the UI shows.

        Args:
            name: Name of the artifact; with a step ``name@step``, so that several make a series.
            image: A PNG, JPEG, GIF or WebP file's path or bytes, a PIL image, a matplotlib figure,
                or an array of shape (height, width) or (height, width, 1, 3 or 4): bytes, or floats
                from 0 to 1. A torch tensor may have the channels first.
            step: The moment of the training.
            caption: A line below.
            layout: ``HWC`` or ``CHW``, the place of an array's channels; by default last, and for a
                torch tensor wherever the shape allows a single place.

        Returns:
            The content digest; empty if the picture could not be stored.

        Raises:
            ParameterError: If the image is not a picture.
            MissingPackageError: If an array is given and Pillow is not installed.
        """
        name, image = in_order(name, image)
        data = picture(image, layout)
        return self._log_media(data, "image", name_at(name, step), caption, picture_size(data))

    def log_figure(
        self, name: str, figure: object, *, step: float | None = None, caption: str = ""
    ) -> str:
        """Log a figure: matplotlib's or seaborn's as a PNG picture, plotly's unchanged.

        Args:
            name: See `log_image`.
            figure: The figure, or the matplotlib axes of a figure.
            step: See `log_image`.
            caption: A line below.

        Raises:
            ParameterError: If the figure is of no such kind.
        """
        name, figure = in_order(name, figure)
        if is_drawing(figure):
            return self.log_image(name, figure, step=step, caption=caption)
        if not type(figure).__module__.startswith("plotly."):
            raise ParameterError(
                what=f"{with_article(type(figure).__name__, begins=True)} is not a figure.",
                fix="Give a figure of matplotlib, seaborn or plotly; pictures go to log_image.",
            )
        return self._log_told(figure, name_at(name, step), {"caption": caption})

    def log_audio(
        self,
        name: str,
        sound_or_path: object,
        *,
        rate: int = 0,
        step: float | None = None,
        caption: str = "",
    ) -> str:
        """Log a sound, which the UI plays.

        Args:
            name: See `log_image`.
            sound_or_path: A WAV, MP3, Ogg or FLAC file's path or bytes, or samples of shape (n,) or
                (n, channels): floats from -1 to 1 or 16-bit numbers, kept as WAV.
            rate: Samples a second, for samples.
            step: See `log_image`.
            caption: A line below.

        Raises:
            ParameterError: If the source is not a sound.
        """
        name, sound_or_path = in_order(name, sound_or_path)
        data = sound(sound_or_path, rate)
        return self._log_media(data, "audio", name_at(name, step), caption, sound_facts(data))

    def log_histogram(
        self, name: str, values: object, *, step: float | None = None, bins: int = 64
    ) -> str:
        """Log a distribution of values: counts between edges, which the UI draws over the steps.

        Args:
            name: See `log_image`.
            values: Numbers of any shape, of which the non-finite are counted separately; or the
                pair ``(counts, edges)`` that `numpy.histogram` returns.
            step: See `log_image`.
            bins: Number of bins of equal width, 1 to 10,000.

        Raises:
            ParameterError: If there are no numbers.
        """
        name, values = in_order(name, values)
        return self._log_told(
            histogram(values, bins), name_at(name, step), {"media": "histogram"}, "histogram"
        )

    def log_table(self, name: str, rows: object, *, step: float | None = None) -> str:
        """Log a table, of which the UI shows the first rows.

        Args:
            name: See `log_image`.
            rows: A polars or pandas frame, a list of dicts with a row each, or a dict of columns.
            step: See `log_image`.

        Raises:
            ParameterError: If the rows are not a table.
        """
        name, rows = in_order(name, rows)
        return self._log_value(_table(rows), name_at(name, step))

    def log_text(
        self, name: str, text: str, *, step: float | None = None, markup: Markup = "plain"
    ) -> str:
        """Log a text, which the UI shows: Markdown set, HTML as source.

        MLflow's order, the text before the file's name, is accepted where it is certain.

        Args:
            name: See `log_image`.
            text: The text.
            step: See `log_image`.
            markup: ``plain``, ``markdown`` or ``html``.

        Raises:
            ParameterError: If the text is not a str, or there is no such markup.
        """
        require_choice("markup", markup, _TEXTS)
        name, text = text_in_order(name, text)
        if not isinstance(text, str):
            raise ParameterError(
                what=f"{with_article(type(text).__name__, begins=True)} is no text.",
                fix="Give a str; other values go to log_artifact.",
            )
        return self._log_told(text, name_at(name, step), {"media": _TEXTS[markup]}, "text")

    def _log_media(
        self, data: bytes, kind: str, label: str, caption: str, facts: Mapping[str, Any]
    ) -> str:
        try:
            digest, inline, size = self.store.keep_bytes(data)
        except StoreError as error:
            self.trouble.meet(error)
            return ""
        record = ArtifactRecord(
            digest=digest,
            # The caption counts: the same picture with a new caption is a new artifact.
            content_digest=digest_json([kind, digest, caption]),
            format="bytes",
            type_name=kind,
            size_bytes=size,
            created_at=now(),
            inline=inline,
            metadata={"media": media_type(data), **_caption(caption), **facts},
        )
        return self._log_record(record, label)

    def _log_told(
        self, value: Any, label: str, facts: Mapping[str, Any], type_name: str | None = None
    ) -> str:
        """Log a value as log_artifact does, with media facts for the UI."""
        stated = {key: fact for key, fact in facts.items() if fact}
        if not stated:
            return self._log_value(value, label)
        try:
            [record] = self.store.pack(value)
        except StoreError as error:
            self.trouble.meet(error)
            return ""
        # Equal bytes with different media facts are two artifacts.
        content = digest_json([stated, record.content_digest])
        record = replace(
            record,
            content_digest=content,
            type_name=type_name or record.type_name,
            metadata={**record.metadata, **stated},
        )
        return self._log_record(record, label)

    def _log_record(self, record: ArtifactRecord, name: str) -> str:
        raise NotImplementedError

    def _log_value(self, value: Any, name: str) -> str:
        raise NotImplementedError


def _caption(caption: str) -> dict[str, str]:
    return {"caption": caption} if caption else {}


def _begin(name: str, *, is_empty: bool) -> str:
    return f"An empty {name}" if is_empty else with_article(name, begins=True)


def _table(rows: Any) -> Any:
    root = type(rows).__module__.partition(".")[0]
    if root in {"polars", "pandas"} and hasattr(rows, "columns"):
        return rows
    whole = isinstance(rows, dict) or (
        isinstance(rows, list) and all(isinstance(row, Mapping) for row in rows)
    )
    if not whole or not rows:
        raise ParameterError(
            what=f"{_begin(type(rows).__name__, is_empty=whole)} is no table.",
            fix="Give a polars or pandas frame, a list of dicts, or a dict of columns.",
        )
    import polars as pl

    try:
        # All rows decide on the types: the first hundred may be integers by chance.
        return pl.DataFrame(rows, infer_schema_length=None)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise ParameterError(
            what=f"The {type(rows).__name__} is no table ({error}).",
            fix="Give a list of dicts with values of one type in a column, or a dict of columns"
            " of one length.",
        ) from error
