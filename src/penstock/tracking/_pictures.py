"""Pictures of all kinds as PNG, JPEG, GIF or WebP bytes, for `Run.log_image` and `log_figure`."""

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from penstock.core import (
    ParameterError,
    require,
    require_choice,
    with_article,
)
from penstock.tracking._files import read_media

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GREY, _COLOURED = 2, 3  # dimensions
_CHANNELS = (1, 3, 4)
Layout = Literal["HWC", "CHW"]
# The modes of PNG; other colours become red, green and blue first.
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})
_DPI = 144  # twice matplotlib's default: sharp on today's screens
_PNG, _GIF = b"\x89PNG", b"GIF8"


def picture(image: Any, layout: Layout | None) -> bytes:
    """Return a picture's bytes; see Run.log_image.

    Raises:
        ParameterError: If the image is not a picture.
        MissingPackageError: If an array is given and Pillow is not installed.
    """
    if isinstance(image, str | Path | bytes):
        return read_media(image, "image/", "a PNG, JPEG, GIF or WebP picture")
    if is_drawing(image):
        return drawing(image)
    target = io.BytesIO()
    if hasattr(image, "save") and hasattr(image, "mode"):  # a PIL image
        (image if image.mode in _PNG_MODES else image.convert("RGB")).save(target, format="PNG")
    else:
        pillow = require("PIL.Image", extra="media", purpose="logging arrays as pictures")
        pillow.fromarray(_pixels(image, layout)).save(target, format="PNG")
    return target.getvalue()


def is_drawing(figure: Any) -> bool:
    """Check whether a figure is matplotlib's or seaborn's: a figure, a grid, or axes."""
    return hasattr(figure, "savefig") or hasattr(figure, "get_figure")


def drawing(figure: Any) -> bytes:
    """Draw matplotlib's figure as PNG."""
    target = io.BytesIO()
    whole = figure if hasattr(figure, "savefig") else figure.get_figure()
    whole.savefig(target, format="png", bbox_inches="tight", dpi=_DPI)
    return target.getvalue()


def picture_size(data: bytes) -> dict[str, int]:
    """Read width and height, in pixels, where the format's header contains them.

    >>> picture_size(b"GIF89a" + bytes([4, 0, 3, 0]))
    {'width': 4, 'height': 3}
    """
    if data.startswith(_PNG):
        width, height = struct.unpack(">II", data[16:24])
    elif data.startswith(_GIF):
        width, height = struct.unpack("<HH", data[6:10])
    else:
        return {}
    return {"width": width, "height": height}


def _pixels(image: Any, layout: Layout | None) -> "NDArray[np.uint8]":
    array = _channels_last(_array(image), layout, tensor=hasattr(image, "detach"))
    if array.ndim == _COLOURED and array.shape[-1] == 1:
        array = array[..., 0]
    return _bytes_of(array)


def _array(image: Any) -> "NDArray[np.generic]":
    import numpy as np

    if hasattr(image, "detach"):  # a torch tensor, wherever it is; NumPy has no bfloat16
        image = image.detach().cpu()
        image = image.float() if image.is_floating_point() else image
    try:
        return np.asarray(image)
    except ValueError as error:
        raise ParameterError(
            what=f"{with_article(type(image).__name__, begins=True)} with rows of several lengths is no picture.",
            fix="Give an array of shape (height, width) or (height, width, 3).",
        ) from error


def _channels_last(
    array: "NDArray[np.generic]", layout: Layout | None, *, tensor: bool
) -> "NDArray[np.generic]":
    import numpy as np

    if layout is not None:
        require_choice("layout", layout, get_args(Layout))
    if array.size == 0 or array.ndim not in {_GREY, _COLOURED}:
        raise _no_picture(array, layout)
    if array.ndim == _GREY:
        return array
    first, last = array.shape[0] in _CHANNELS, array.shape[-1] in _CHANNELS
    if layout is None and tensor and first and last:
        raise ParameterError(
            what=f"A tensor of shape {array.shape} may have its channels first or last.",
            why="The picture would change.",
            fix="Write layout='CHW' or layout='HWC'.",
            shape=array.shape,
        )
    # Tensors have their channels first by custom, arrays last.
    chosen = layout or ("CHW" if tensor and first else "HWC")
    if not (first if chosen == "CHW" else last):
        raise _no_picture(array, layout)
    return np.moveaxis(array, 0, -1) if chosen == "CHW" else array


def _no_picture(array: "NDArray[np.generic]", layout: Layout | None) -> ParameterError:
    in_layout = f" in layout {layout}" if layout else ""
    return ParameterError(
        what=f"An array of shape {array.shape} is no picture{in_layout}.",
        fix="Give shape (height, width) or (height, width, 1, 3 or 4); of an array with channels"
        " first: layout='CHW'. Of a batch, log each picture.",
        shape=array.shape,
    )


def _bytes_of(array: "NDArray[Any]") -> "NDArray[np.uint8]":
    import numpy as np

    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind not in "fiu":
        raise ParameterError(
            what=f"An array of {array.dtype} is no picture.", fix="Give numbers or booleans."
        )
    low, high = float(array.min()), float(array.max())
    if kind == "f" and low >= 0 and high <= 1:
        return (array * 255).round().astype(np.uint8)
    if kind in "iu" and low >= 0 and high <= 255:  # noqa: PLR2004 - a byte
        return array.astype(np.uint8)
    raise ParameterError(
        what=f"A picture of {array.dtype} has values from {low:g} to {high:g}.",
        why="Brightness is a whole number from 0 to 255, or a float from 0 to 1.",
        fix="Scale it first, for example (x - x.min()) / (x.max() - x.min()).",
    )
