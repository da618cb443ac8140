"""Distributions of SciPy by name and numbers: what a randomized search was given to draw from.

A frozen distribution holds the class, the formulas and the generator of SciPy's own object, which no
safe file can have. The name and the numbers make the same distribution again.
"""

import sys
from collections.abc import Callable
from typing import Any

from penstock.core import SerializationError

_LONGEST = 1_000  # longer containers of an estimator are fitted values, which hold no distribution


class NamedDistribution:
    """A frozen distribution of ``scipy.stats``, as it stands in a file.

    Args:
        name: Name of the distribution in ``scipy.stats``.
        arguments: Numbers by position.
        keywords: Numbers by name.
    """

    def __init__(
        self, name: str, arguments: list[float | int], keywords: dict[str, float | int]
    ) -> None:
        self.name, self.arguments, self.keywords = name, arguments, keywords

    @classmethod
    def of(cls, value: Any) -> "NamedDistribution | None":
        """Return the form of a frozen distribution; None for any other value.

        None also for distributions of the user's own, for arrays as arguments, and for a
        distribution with a generator of its own: name and numbers would not give them again.
        """
        infrastructure = sys.modules.get("scipy.stats._distn_infrastructure")
        if infrastructure is None or not isinstance(value, infrastructure.rv_frozen):
            return None
        arguments = [_plain(each) for each in value.args]
        keywords = {name: _plain(each) for name, each in value.kwds.items()}
        if not all(map(_is_number, [*arguments, *keywords.values()])):
            return None
        known = _known(value.dist.name)
        if known is None or type(known) is not type(value.dist):
            return None
        if known._updated_ctor_param() != value.dist._updated_ctor_param():  # noqa: SLF001 - SciPy's own way to copy
            return None
        if value.random_state is not known.random_state:
            return None
        return cls(value.dist.name, arguments, keywords)

    def frozen(self) -> Any:
        """Return the distribution.

        Raises:
            SerializationError: If this SciPy has no such distribution, or it takes other numbers.
        """
        known = _known(str(self.name))  # a file may have anything there
        numbers = [*self.arguments, *self.keywords.values()]
        if known is None or not all(map(_is_number, numbers)):
            raise _unknown(self.name)
        try:
            return known(*self.arguments, **self.keywords)
        except TypeError as error:
            raise _unknown(self.name) from error


def with_names(value: Any) -> Any:
    """Return an estimator with its frozen distributions in the form of a file.

    The estimator itself stays as it is: those that hold a distribution are copied.
    """
    if "scipy.stats._distn_infrastructure" not in sys.modules:
        return value
    return _Walk(lambda part: NamedDistribution.of(part)).replaced(value)  # noqa: PLW0108 - typed


def with_distributions(value: Any) -> Any:
    """Return a loaded estimator with its distributions, made of their names and numbers."""
    return _Walk(lambda part: part.frozen() if type(part) is NamedDistribution else None).replaced(
        value
    )


class _Walk:
    """Replaces parts in the parameters of estimators, copying those on the way to them."""

    def __init__(self, replace: Callable[[Any], Any]) -> None:
        self._replace = replace
        self._done: dict[int, Any] = {}
        self._kept: list[Any] = []  # an id is only unique while the object lives

    def replaced(self, value: Any) -> Any:
        if id(value) in self._done:
            return self._done[id(value)]
        self._done[id(value)] = value  # in a cycle the value itself stands for itself
        self._kept.append(value)
        made = self._done[id(value)] = self._of(value)
        return made

    def _of(self, value: Any) -> Any:
        kind = type(value)
        if kind in {list, tuple, dict} and len(value) > _LONGEST:
            return value
        if kind in {list, tuple}:
            items = [self.replaced(item) for item in value]
            return kind(items) if _differ(items, value) else value
        if kind is dict:
            items = [self.replaced(item) for item in value.values()]
            return dict(zip(value, items, strict=True)) if _differ(items, value.values()) else value
        if hasattr(kind, "get_params") and hasattr(value, "__dict__"):
            state = vars(value)
            items = [self.replaced(item) for item in state.values()]
            if not _differ(items, state.values()):
                return value
            copied = object.__new__(kind)
            vars(copied).update(zip(state, items, strict=True))
            return copied
        found = self._replace(value)
        return value if found is None else found


def _differ(items: Any, others: Any) -> bool:
    return any(item is not other for item, other in zip(items, others, strict=True))


def _known(name: str) -> Any:
    """Return SciPy's distribution of a name; None if there is none."""
    from scipy import stats
    from scipy.stats._distn_infrastructure import rv_generic

    found = getattr(stats, name, None)
    return found if isinstance(found, rv_generic) else None


def _plain(value: Any) -> Any:
    """Return a number of NumPy as that of Python."""
    return value.item() if getattr(value, "shape", None) == () else value


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


def _unknown(name: Any) -> SerializationError:
    return SerializationError(
        what=f"The model has a distribution {str(name)[:60]!r}, which this SciPy cannot make.",
        why="It is stored by its name and numbers.",
        fix="Install the version of SciPy that the model was trained with.",
    )
