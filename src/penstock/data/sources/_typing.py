"""Types of text columns: declared, remembered from the last reading, or by the majority."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from penstock.core import DataError, NotFoundError, did_you_mean
from penstock.data._finding import Finding
from penstock.data.sources._remarks import (
    remark_bare,
    remark_date_numbers,
    remark_guess,
    remark_marks,
    remark_times,
    show_examples,
)
from penstock.tables.reading import (
    MARKS,
    Guess,
    ReadingRule,
    Texts,
    ValueType,
    block_reader,
    guess_rule,
    is_few,
    missing_in,
    read_values,
    survey,
)

if TYPE_CHECKING:
    import polars as pl

TYPES = ("text", "integer", "number", "boolean", "date", "datetime")
QUOTED = "\ue000"
"""Prefix of a missing mark that was quoted in the file, until the column has a type."""

_NUMBER_LIKE = r"^[^\p{L}]*\d[^\p{L}]*$"
_GROUPS_ONLY = r"^[1-9]\d{0,2}(?:\.\d{3})+$"


@dataclass(frozen=True, slots=True)
class TypeOptions:
    """The known facts of a table's columns before they are read.

    Attributes:
        missing: Texts that mean "no value".
        declared: Types that the user has declared, or strftime codes, by column.
        decimal: Decimal mark that the user has declared.
        remembered: Reading rules of the last reading.
        separator: The separator between fields; a semicolon makes a decimal comma likelier.
        as_written: Columns that stay texts where some values cannot be read; see
            ``FileSource.as_written``.
    """

    missing: tuple[str, ...] = MARKS
    declared: Mapping[str, str] = field(default_factory=dict)
    decimal: str | None = None
    remembered: Mapping[str, ReadingRule] = field(default_factory=dict)
    separator: str = ","
    as_written: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TypedTable:
    """A table with types, the reading rules of the texts, and findings."""

    table: "pl.DataFrame"
    rules: Mapping[str, ReadingRule]
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """How a column of texts becomes values.

    Attributes:
        read: Reads a block of it.
        rule: The reading rule; None without values.
        findings: Findings on its texts.
    """

    read: "Callable[[pl.Series], pl.Series]"
    rule: ReadingRule | None
    findings: Sequence[Finding]


def type_columns(table: "pl.DataFrame", options: TypeOptions | None = None) -> TypedTable:
    """Convert each column of texts to its type; columns of other types stay unchanged.

    Raises:
        NotFoundError: If a type is declared for a column that does not exist.
        DataError: If more than a few values do not have the declared type.
    """
    options = options or TypeOptions()
    require_declared(table.columns, options)
    texts = [Texts.of(series) for series in table.iter_columns() if _is_text(series)]
    typed = type_texts(texts, options)
    columns = [typed[name].read(table[name]).rename(name) for name in typed]
    rules = {name: column.rule for name, column in typed.items() if column.rule is not None}
    findings = [finding for column in typed.values() for finding in column.findings]
    return TypedTable(table.with_columns(columns), rules, findings)


def type_texts(columns: Sequence[Texts], options: TypeOptions) -> dict[str, TypedColumn]:
    """Return how each column of texts becomes values, by name.

    Raises:
        DataError: If more than a few values do not have the declared type.
    """
    texts = {column.name: column for column in columns}
    guesses = _guess_all(texts, options)
    return {name: _type_column(column, guesses[name], options) for name, column in texts.items()}


def without_marks(series: "pl.Series", missing: Sequence[str]) -> "pl.Series":
    """Return a column of texts with null for missing marks, quoted marks too."""
    import polars as pl

    rule = ReadingRule("datetime", missing=tuple(missing))
    gone = missing_in(series, rule) | series.str.starts_with(QUOTED).fill_null(value=True)
    return pl.select(pl.when(~gone).then(series)).to_series().rename(series.name)


def _is_text(series: "pl.Series") -> bool:
    import polars as pl

    return series.dtype == pl.String


def require_declared(columns: Sequence[str], options: TypeOptions) -> None:
    """Check that the columns with declared types exist.

    Raises:
        NotFoundError: If one does not, with did-you-mean.
    """
    for name in options.declared:
        if name not in columns:
            raise NotFoundError(
                what=f"types= names a column {name!r} that the table does not have.",
                fix=did_you_mean(name, columns),
                column=name,
            )


def _guess_all(texts: Mapping[str, Texts], options: TypeOptions) -> dict[str, Guess]:
    """Guess each column alone, then again where further columns show the decimal mark."""
    plain = {name: column.map(_unquoted) for name, column in texts.items()}
    guesses = {
        name: guess_rule(column, options.missing, decimal=options.decimal)
        for name, column in plain.items()
    }
    if options.decimal is not None:
        return guesses
    numbers = [guess for guess in guesses.values() if guess.rule.is_number]
    # An unambiguous column decides for the rest: a file has a single decimal mark.
    comma = any(guess.rule.decimal == "," and not guess.ambiguous for guess in numbers)
    dotted = {name for name, guess in guesses.items() if _is_dotted(plain[name], guess)}
    point = any(
        guess.rule.decimal == "." and guess.rule.type == "number" and not guess.ambiguous
        for name, guess in guesses.items()
        if name not in dotted
    )
    # A semicolon is the usual separator where the comma is the decimal mark.
    if not comma and (options.separator != ";" or point):
        return guesses
    for name, guess in guesses.items():
        if name in dotted and not comma:  # nothing decides: read as written, with a finding
            guesses[name] = replace(guess, ambiguous=True)
        elif guess.ambiguous or name in dotted:
            again = guess_rule(plain[name], options.missing, decimal=",")
            if again.rule.is_number:
                guesses[name] = replace(again, ambiguous=True)
    return guesses


def _is_dotted(texts: Texts, guess: Guess) -> bool:
    """Return whether numbers are like 1.234, whose mark may separate thousands."""
    if not (guess.rule.is_plain and guess.rule.type == "number"):
        return False
    return texts.all(lambda block: block.drop_nulls().str.contains(_GROUPS_ONLY))


def _type_column(texts: Texts, guess: Guess, options: TypeOptions) -> TypedColumn:
    name, bare = texts.name, texts.map(_unquoted)
    if name in options.declared:
        rule, findings = _declared_rule(bare, guess, options)
    elif name in options.remembered:
        rule, findings = _remembered_rule(bare, guess, options)
    else:
        rule, findings = guess.rule, list(remark_guess(bare, guess))
    if rule.type == "text":
        return _type_text(texts, bare, rule, findings, guess, options)
    if name in options.as_written and len(_odd(bare, rule)):
        return TypedColumn(
            lambda block: _given_texts(_unquoted(block), rule).rename(name), rule, findings
        )
    if guess.plain and rule == guess.rule:
        # All of it was read to know that: neither marks nor (12.50) nor a unit is in it.
        if name not in options.declared:
            findings += remark_date_numbers(bare, rule)
        return TypedColumn(
            lambda block: read_values(_unquoted(block), rule, accounting=False), rule, findings
        )
    read = block_reader(bare, rule)
    findings += [*remark_marks(bare, rule, None), *remark_bare(bare, rule)]
    if name not in options.declared:
        findings += remark_date_numbers(bare, rule)
    return TypedColumn(lambda block: read(_unquoted(block)), rule, findings)


def _type_text(
    texts: Texts,
    bare: Texts,
    rule: ReadingRule,
    findings: list[Finding],
    guess: Guess,
    options: TypeOptions,
) -> TypedColumn:
    def read(block: "pl.Series") -> "pl.Series":
        # In a column of texts a quoted mark is a value, not a missing one.
        plain, whole = _unquoted(block), block.str.strip_prefix(QUOTED)
        return whole.zip_with(plain.is_null() & block.is_not_null(), read_values(plain, rule))

    quoted = texts.where(lambda block: block.str.starts_with(QUOTED).fill_null(value=False))
    values = texts.map(read)
    findings += [*remark_marks(bare, rule, quoted), *remark_times(values)]
    # A column without values is no evidence of a rule for later readings.
    empty = not values.any(lambda block: block.is_not_null())
    told = rule  # another than what `read` reads by: blocks are read later
    if texts.name in options.as_written:
        told = guess.instead or _rule_of_few(bare, options) or rule
    return TypedColumn(read, None if empty else told, findings)


def _rule_of_few(bare: Texts, options: TypeOptions) -> ReadingRule | None:
    """Return the notation of the numbers among texts, which are too few to decide for the column."""
    numbers = bare.where(lambda block: block.str.contains(_NUMBER_LIKE).fill_null(value=False))
    found = guess_rule(numbers, options.missing, decimal=options.decimal)
    if found.ambiguous and options.decimal is None and options.separator == ";":
        found = guess_rule(numbers, options.missing, decimal=",")
    return found.rule if found.rule.is_number else None


def _given_texts(bare: "pl.Series", rule: ReadingRule) -> "pl.Series":
    import polars as pl

    return pl.select(pl.when(~missing_in(bare, rule)).then(bare)).to_series()


def _declared_rule(
    bare: Texts, guess: Guess, options: TypeOptions
) -> tuple[ReadingRule, list[Finding]]:
    declared = options.declared[bare.name]
    rule = _rule_of(bare, declared, guess, options)
    if rule.type == "text":
        return rule, []
    odd, given = _odd(bare, rule), _given(bare, rule)
    # A few odd values become missing, with a warning; more of them contradict the declaration.
    if len(odd) and not is_few(len(odd), given):
        raise DataError(
            what=f"Column {bare.name!r}: {len(odd):,} of {given:,} values are not {rule.words} "
            f"({show_examples(odd)}).",
            why=f"types= declares it as {declared!r}.",
            fix="Fix the file, add its marks for missing values to missing=, or declare another type.",
            column=bare.name,
        )
    return rule, list(_remark_odd(bare.name, odd, given, rule))


def _rule_of(bare: Texts, declared: str, guess: Guess, options: TypeOptions) -> ReadingRule:
    missing = options.missing
    if "%" in declared:
        clock = any(code in declared for code in ("%H", "%I", "%M", "%S", "%T", "%R"))
        zone = "UTC" if "%z" in declared else ""
        return ReadingRule(
            "datetime" if clock else "date", times=declared, zone=zone, missing=missing
        )
    if declared in {"integer", "number"}:
        found = guess.rule if guess.rule.is_number else guess.instead
        found = found if found is not None and found.is_number else ReadingRule("number")
        whole = declared == "integer"
        return replace(found, type="integer" if whole else "number", missing=missing)
    if declared in {"date", "datetime"}:
        found = guess.rule if guess.rule.is_time else guess.instead
        found = found if found is not None and found.is_time else ReadingRule("date", times="iso")
        # 20240131 is an integer too, so the guess may not be a time.
        compact = bare.map(lambda block: block.drop_nulls())
        if len(compact) and compact.all(lambda block: block.str.contains(r"^\d{8}$")):
            return ReadingRule("date", times="compact", missing=missing)
        found = replace(found, type="datetime") if declared == "datetime" else found
        return replace(found, missing=missing)
    return ReadingRule("boolean" if declared == "boolean" else "text", missing=missing)


def _remembered_rule(
    bare: Texts, guess: Guess, options: TypeOptions
) -> tuple[ReadingRule, list[Finding]]:
    """Return the rule of the last reading, unless more than a few values no longer fit."""
    name = bare.name
    rule = replace(options.remembered[name], missing=options.missing)
    if rule.type == "text":
        if guess.rule.type == "text" or not _given(bare, rule):
            return rule, list(remark_guess(bare, guess))
        text = (
            f"Column '{name}' holds {guess.rule.words}, but is read as text as at the last reading; "
            f"types={{{name!r}: {guess.rule.type!r}}} changes that."
        )
        return rule, [Finding("info", "remembered", name, text)]
    odd = _odd(bare, rule)
    # Decimals among former integers widen the rule instead of failing.
    if rule.is_number and not len(odd) and survey(bare, rule).is_float:
        rule = replace(rule, type="number")
    if not len(odd):
        return rule, list(_remark_two_ways(bare, rule, guess.rule))
    if guess.rule.is_number and rule.is_number:
        text = (
            f"Column '{name}': {len(odd):,} values are written otherwise than at the last reading "
            f"({show_examples(odd)}); it is read as {guess.rule.words}."
        )
        wider: ValueType = "number" if "number" in {rule.type, guess.rule.type} else "integer"
        findings = [Finding("info", "written_otherwise", name, text)]
        return replace(guess.rule, type=wider), [*findings, *remark_guess(bare, guess)]
    given = _given(bare, rule)
    if is_few(len(odd), given):
        return rule, list(_remark_odd(name, odd, given, rule))
    # A new form of times is no change of type.
    if guess.rule.is_time and rule.is_time:
        return guess.rule, list(remark_guess(bare, guess))
    # Too many for missing values: the schema check reports the change, and stops.
    text = (
        f"{len(odd):,} of {given:,} values cannot be read as {rule.words} ({show_examples(odd)})."
    )
    changed = Finding("warn", "number_text", name, f"Column '{name}': {text}")
    return ReadingRule("text", missing=options.missing), [changed]


def _remark_two_ways(bare: Texts, rule: ReadingRule, alone: ReadingRule) -> Iterator[Finding]:
    """Yield a warning for numbers that these rows alone would read differently: 1,350 as 1.35."""
    import polars as pl

    if not (rule.is_number and alone.is_number):
        return
    readers = [block_reader(bare, each) for each in (rule, alone)]

    def differs(block: "pl.Series") -> "pl.Series":
        ours, theirs = (read(block).cast(pl.Float64) for read in readers)
        return (ours != theirs).fill_null(value=False)

    example = bare.where(differs).head(1)
    if not len(example):
        return
    ours, theirs = (read(example).cast(pl.Float64)[0] for read in readers)
    text = (
        f"Column '{bare.name}' can be read in two ways: {example[0]} is read as {ours}, "
        f"as at the last reading; these rows alone would give {theirs}, and "
        f"decimal={alone.decimal!r} does."
    )
    yield Finding("warn", "ambiguous_number", bare.name, text)


def _given(bare: Texts, rule: ReadingRule) -> int:
    return len(bare) - bare.total(lambda block: missing_in(block, rule).sum())


def _odd(bare: Texts, rule: ReadingRule) -> Texts:
    read = block_reader(bare, rule)
    return bare.where(lambda block: read(block).is_null() & ~missing_in(block, rule))


def _remark_odd(name: str, odd: Texts, given: int, rule: ReadingRule) -> Iterator[Finding]:
    if len(odd):
        text = (
            f"Column '{name}': {len(odd):,} of {given:,} values cannot be read as {rule.words} "
            f"({show_examples(odd)}); they are missing now."
        )
        yield Finding("warn", "unreadable", name, text)


def _unquoted(series: "pl.Series") -> "pl.Series":
    """Return a column with null for missing marks that were quoted."""
    import polars as pl

    quoted = series.str.starts_with(QUOTED).fill_null(value=False)
    if not quoted.any():
        return series
    return pl.select(pl.when(~quoted).then(series)).to_series().rename(series.name)
