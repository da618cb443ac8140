"""Columns of a table: dtype, family, kind, frame type and labels; shared by data, models and above."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.tables._column import Column as Column
    from penstock.tables._column import show_limit as show_limit
    from penstock.tables._column import show_number as show_number
    from penstock.tables._dtypes import Family as Family
    from penstock.tables._dtypes import base_name as base_name
    from penstock.tables._dtypes import broad_family as broad_family
    from penstock.tables._dtypes import dtype_name as dtype_name
    from penstock.tables._dtypes import family as family
    from penstock.tables._dtypes import integer_limits as integer_limits
    from penstock.tables._dtypes import number_limits as number_limits
    from penstock.tables._dtypes import parse_dtype as parse_dtype
    from penstock.tables._frames import FRAME_TYPES as FRAME_TYPES
    from penstock.tables._frames import FrameType as FrameType
    from penstock.tables._frames import columns_of as columns_of
    from penstock.tables._frames import convert_frame as convert_frame
    from penstock.tables._frames import offer_frames as offer_frames
    from penstock.tables._frames import read_frame as read_frame
    from penstock.tables._kinds import HEAD_ROWS as HEAD_ROWS
    from penstock.tables._kinds import MIN_ROWS as MIN_ROWS
    from penstock.tables._kinds import Kind as Kind
    from penstock.tables._kinds import has_missing as has_missing
    from penstock.tables._kinds import kind_of as kind_of
    from penstock.tables._kinds import kind_of_sample as kind_of_sample
    from penstock.tables._kinds import kind_of_texts as kind_of_texts
    from penstock.tables._kinds import looks_like_id as looks_like_id
    from penstock.tables._kinds import named_id as named_id
    from penstock.tables._kinds import without_nan as without_nan
    from penstock.tables._labels import plain_value as plain_value
    from penstock.tables._labels import read_label as read_label
    from penstock.tables._objects import column_of_values as column_of_values
    from penstock.tables._objects import typed_column as typed_column
    from penstock.tables._output_names import plain_name as plain_name
    from penstock.tables._positive import find_positive as find_positive
    from penstock.tables._positive import match_class as match_class
    from penstock.tables._positive import why_unknown as why_unknown
    from penstock.tables._seconds import from_seconds as from_seconds
    from penstock.tables._seconds import to_seconds as to_seconds

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Column": "_column",
        "Family": "_dtypes",
        "FRAME_TYPES": "_frames",
        "FrameType": "_frames",
        "Kind": "_kinds",
        "HEAD_ROWS": "_kinds",
        "MIN_ROWS": "_kinds",
        "base_name": "_dtypes",
        "broad_family": "_dtypes",
        "column_of_values": "_objects",
        "typed_column": "_objects",
        "columns_of": "_frames",
        "convert_frame": "_frames",
        "dtype_name": "_dtypes",
        "family": "_dtypes",
        "find_positive": "_positive",
        "has_missing": "_kinds",
        "integer_limits": "_dtypes",
        "kind_of": "_kinds",
        "kind_of_sample": "_kinds",
        "kind_of_texts": "_kinds",
        "looks_like_id": "_kinds",
        "named_id": "_kinds",
        "match_class": "_positive",
        "number_limits": "_dtypes",
        "parse_dtype": "_dtypes",
        "offer_frames": "_frames",
        "plain_name": "_output_names",
        "plain_value": "_labels",
        "read_label": "_labels",
        "without_nan": "_kinds",
        "read_frame": "_frames",
        "to_seconds": "_seconds",
        "from_seconds": "_seconds",
        "why_unknown": "_positive",
        "show_limit": "_column",
        "show_number": "_column",
    },
)
