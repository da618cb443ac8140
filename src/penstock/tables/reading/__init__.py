"""Texts to values, by a rule per column: files and requests are read by the same code."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.tables.reading._infer import Guess as Guess
    from penstock.tables.reading._infer import guess_rule as guess_rule
    from penstock.tables.reading._infer import is_few as is_few
    from penstock.tables.reading._read import is_missing_text as is_missing_text
    from penstock.tables.reading._read import missing_in as missing_in
    from penstock.tables.reading._read import read_value as read_value
    from penstock.tables.reading._read import read_values as read_values
    from penstock.tables.reading._rule import EXTRA_MARKS as EXTRA_MARKS
    from penstock.tables.reading._rule import MARKS as MARKS
    from penstock.tables.reading._rule import ReadingRule as ReadingRule
    from penstock.tables.reading._rule import ValueType as ValueType
    from penstock.tables.reading._rule import rules_from_json as rules_from_json
    from penstock.tables.reading._rule import rules_to_json as rules_to_json
    from penstock.tables.reading._survey import block_reader as block_reader
    from penstock.tables.reading._survey import survey as survey
    from penstock.tables.reading._texts import Texts as Texts
    from penstock.tables.reading._time_blocks import iso_reader as iso_reader
    from penstock.tables.reading._time_blocks import times_reader as times_reader
    from penstock.tables.reading._time_formats import fitting_formats as fitting_formats
    from penstock.tables.reading._time_formats import guess_time_format as guess_time_format
    from penstock.tables.reading._time_formats import usual_formats as usual_formats
    from penstock.tables.reading._times import read_iso as read_iso
    from penstock.tables.reading._times import read_times as read_times
    from penstock.tables.reading._times import time_rule as time_rule

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "EXTRA_MARKS": "_rule",
        "Guess": "_infer",
        "MARKS": "_rule",
        "ReadingRule": "_rule",
        "Texts": "_texts",
        "ValueType": "_rule",
        "block_reader": "_survey",
        "guess_rule": "_infer",
        "fitting_formats": "_time_formats",
        "usual_formats": "_time_formats",
        "guess_time_format": "_time_formats",
        "is_few": "_infer",
        "is_missing_text": "_read",
        "missing_in": "_read",
        "read_iso": "_times",
        "read_times": "_times",
        "read_value": "_read",
        "read_values": "_read",
        "rules_from_json": "_rule",
        "rules_to_json": "_rule",
        "survey": "_survey",
        "iso_reader": "_time_blocks",
        "time_rule": "_times",
        "times_reader": "_time_blocks",
    },
)
