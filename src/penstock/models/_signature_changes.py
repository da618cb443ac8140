"""The effect on callers when a new signature replaces the old; apart from both, and pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.models._signature import Signature
from penstock.tables import Column

# The families accepted by each family, as the row checker reads them: an integer is also a number.
_TAKES = {
    "number": frozenset({"number", "integer", "decimal"}),
    "decimal": frozenset({"number", "integer", "decimal"}),
    "integer": frozenset({"integer"}),
    "text": frozenset({"text", "enum"}),
    "datetime": frozenset({"datetime", "date"}),
}


_LABELS = frozenset({"binary", "multiclass"})


@dataclass(frozen=True, slots=True)
class SignatureChanges:
    """The effect of a new version on a model's callers.

    Args:
        breaking: Changes that break requests which the old version answers, or that change the
            meaning of predictions; a sentence each.
        notes: Changes that do not break callers.
    """

    breaking: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare_signatures(old: Signature, new: Signature) -> SignatureChanges:
    """Compare the signature in production with the signature to be deployed.

    >>> old = Signature((Column("age", "integer", "Int64"),))
    >>> new = Signature((Column("age", "integer", "Int64"), Column("city", "text", "String")))
    >>> compare_signatures(old, new).breaking
    ("The column 'city' is new and required.",)

    Args:
        old: The signature that callers write requests for.
        new: The signature that is to read those requests.
    """
    changes = [*_columns(old, new), *_lookups(old, new), *_answers(old, new)]
    return SignatureChanges(
        tuple(text for text, breaks in changes if breaks),
        tuple(text for text, breaks in changes if not breaks),
    )


def _columns(old: Signature, new: Signature) -> Iterator[tuple[str, bool]]:
    before = {column.name: column for column in old.inputs}
    after = {column.name: column for column in new.inputs}
    for name, column in after.items():
        if name in before:
            yield from _column(before[name], column, old, new)
        elif new.features is not None and name in new.features.columns:
            yield f"The column {name!r} is new and looked up when a request leaves it out.", False
        elif column.is_required:
            yield f"The column {name!r} is new and required.", True
        else:
            yield (
                f"The column {name!r} is new; a request without it counts as missing there.",
                False,
            )
    for name in before.keys() - after.keys():
        if new.is_unused(name):
            yield f"The column {name!r} is no longer used; requests may go on to send it.", False
        else:
            yield f"The column {name!r} is gone; requests that send it are refused.", True


def _lookups(old: Signature, new: Signature) -> Iterator[tuple[str, bool]]:
    """Compare what requests may leave out, and the fields that replace these."""
    before, after = {*old.names}, {*new.names}
    was, now = (each.features.columns if each.features else {} for each in (old, new))
    keys, new_keys = (each.features.request if each.features else () for each in (old, new))
    if any(name in after and name not in before for name in now):
        for name in new_keys:
            if name not in before and name not in keys and name not in after:
                yield f"The field {name!r} is new: features are looked up by it.", True
    for name in was:
        if name in before and name in after and name not in now:
            yield f"The column {name!r} is no longer looked up: requests must have it.", True
    for name in keys:
        if name not in before and name not in after and not new.is_unused(name):
            yield f"The field {name!r} is gone; requests that send it are refused.", True


def _column(
    before: Column, after: Column, old: Signature, new: Signature
) -> Iterator[tuple[str, bool]]:
    was, now = before.family, after.family
    if was not in {now, "nothing"} and was not in _TAKES.get(now, frozenset()):
        yield f"The column {after.name!r} was {was} and is {now}.", True
    elif was != now:
        yield f"The column {after.name!r} was {was} and is {now}, which takes it too.", False
    if now == "enum":
        yield from _categories(before, after)
    if (before.nullable or old.accepts_missing) and after.is_required:
        # Without training rows that lack the column, the model may still predict such rows.
        breaks = not new.accepts_missing
        if breaks or before.nullable:
            yield f"The column {after.name!r} could be missing and is required now.", breaks


def _categories(before: Column, after: Column) -> Iterator[tuple[str, bool]]:
    """Compare fixed categories: such a column refuses all values outside the list."""
    known = frozenset(after.levels or ())
    gone = sorted(frozenset(before.levels or ()) - known)
    if gone:
        yield f"The column {after.name!r} takes no {_some(gone)} any more.", True
    elif before.levels is None:
        yield f"The column {after.name!r} takes only {_some(sorted(known))} now.", True


def _answers(old: Signature, new: Signature) -> Iterator[tuple[str, bool]]:
    if old.task != new.task and not {old.task, new.task} <= _LABELS:
        yield (
            f"The predictions were those of a {old.task} model and are those of a {new.task} one.",
            True,
        )
        return
    yield from _targets(old, new)
    kinds = {type(label) for label in old.classes}, {type(label) for label in new.classes}
    if all(kinds) and kinds[0] != kinds[1]:
        names = [", ".join(sorted(kind.__name__ for kind in each)) for each in kinds]
        yield f"The classes were {names[0]} and are {names[1]}.", True
    elif set(old.classes) != set(new.classes):
        gone = sorted(map(str, set(old.classes) - set(new.classes)))
        come = sorted(map(str, set(new.classes) - set(old.classes)))
        yield f"The classes change: new {_some(come)}, gone {_some(gone)}.", False
    if None not in {old.positive, new.positive} and old.positive != new.positive:
        yield f"The score was about {old.positive!r} and is about {new.positive!r}.", True


def _targets(old: Signature, new: Signature) -> Iterator[tuple[str, bool]]:
    before, after = ([target.name for target in each.targets] for each in (old, new))
    gone = [name for name in before if name not in after]
    if gone:
        yield f"The target {_some(gone)} is not predicted any more.", True
    elif [name for name in after if name in before] != before or len(after) != len(before):
        yield f"The targets were {_some(before)} and are {_some(after)}.", True
    lost = [each.name for each in old.extras if each not in new.extras]
    if lost:
        yield f"The output {_some(lost)} is gone or has another width.", True


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "") if names else "none"  # noqa: PLR2004 - a short line
