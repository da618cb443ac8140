"""All errors that penstock raises on purpose, in a tree, each with the event, the reason and a fix.

PenstockError
├── DefinitionError (TypeError)        a step or pipeline is written wrongly
├── ParameterError (ValueError)        a run parameter or setting has a value that cannot be used
├── SettingsError (ValueError)         configuration cannot be used
├── NotFoundError (LookupError)        a run, model, column, … by that name does not exist
├── ConflictError                      a concurrent change came first, or the move is not allowed
├── DataError (ValueError)             rows or columns do not fit the work
│   ├── ExpectationError               rows are not as expected
│   ├── SchemaError                    columns or types differ from the recorded schema
│   └── LeakageError                   the test rows are not independent of the training rows
├── StoreError                         the store cannot be opened, read or written
├── SerializationError (TypeError)     a value cannot be stored or read back safely
├── StepError                          the user's step raised; carries the original traceback
├── SignInError                        sender unknown: 401
├── AccessError                        whoever asks may not: 403
├── RateLimitError                     too often: 429
├── GateError                          a gate or a proof has failed
├── ServingError                       a deployment cannot answer
└── MissingPackageError (ImportError)  an optional package is not installed
"""

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any


class PenstockError(Exception):
    """The root of all errors raised on purpose.

    >>> error = PenstockError(what="Disk is full.", why="Nothing can be stored.", fix="Free space.")
    >>> print(error)
    Disk is full. Nothing can be stored. Free space.
    >>> error.fix
    'Free space.'

    Args:
        what: The event, with the value, as a sentence.
        why: The reason or the consequence, as a sentence; may be empty where obvious.
        fix: The repair, with the command or name to use.
        values: The values at fault; each becomes an attribute.
    """

    def __init__(
        self,
        what: str,
        why: str = "",
        fix: str = "",
        **values: Any,  # Any: attributes of any type
    ) -> None:
        super().__init__(what, why, fix)
        self.what, self.why, self.fix, self.values = what, why, fix, values
        for name, value in values.items():
            setattr(self, name, value)

    if TYPE_CHECKING:  # the values at fault

        def __getattr__(self, name: str) -> Any: ...

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.fix) if part)

    def to_json(self) -> dict[str, str]:
        """Return the three sentences as plain JSON, the form of the CLI and of all servers."""
        return {"what": self.what, "why": self.why, "fix": self.fix}


class DefinitionError(PenstockError, TypeError):
    """A faulty definition of a step or pipeline."""


class ParameterError(PenstockError, ValueError):
    """A run parameter or an argument with a value that cannot be used."""


class SettingsError(PenstockError, ValueError):
    """Configuration that cannot be used."""


class NotFoundError(PenstockError, LookupError):
    """A name of something that does not exist."""


class ConflictError(PenstockError):
    """A concurrent change that came first, or a move not allowed from the current state."""


class DataError(PenstockError, ValueError):
    """Rows or columns that do not fit the work."""


class SchemaError(DataError):
    """Columns or types that differ from the recorded schema."""


class ExpectationError(DataError):
    """Rows that are not as declared, or not like accepted versions of their data set."""


class LeakageError(DataError):
    """Test rows that are not independent of the training rows."""


class StoreError(PenstockError):
    """A store that cannot be opened, read or written."""


class NoStoreError(StoreError):
    """A missing store, where nothing has been recorded yet and the caller creates none."""


class SerializationError(PenstockError, TypeError):
    """A value that cannot be stored or read back safely."""


class StepError(PenstockError):
    """A failed step; ``__cause__`` is the step's exception."""


class SignInError(PenstockError):
    """A request whose sender is not known."""


class AccessError(PenstockError):
    """A request whose sender has no permission."""


class RateLimitError(PenstockError):
    """A request that came too soon; ``retry_after_s`` says how long to wait, in seconds."""


class GateError(PenstockError):
    """A failed gate or proof."""


class ServingError(PenstockError):
    """A deployment that cannot respond."""


class MissingPackageError(PenstockError, ImportError):
    """An optional package that is not installed."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the closest known names as a sentence, or a list of all names.

    >>> did_you_mean("trian", ["train", "split"])
    "Did you mean 'train'?"
    >>> did_you_mean("zzz", ["train", "split"])
    'Known: split, train.'
    >>> did_you_mean("zzz", [])
    ''
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(f"'{match}'" for match in close) + "?"
    if not names:
        return ""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""  # noqa: PLR2004 - a short line
    return f"Known: {', '.join(names[:8])}{more}."


def summarize_error(error: BaseException, longest: int = 300) -> str:
    r"""Return an error as part of a sentence: a single line, without the full stop.

    >>> summarize_error(ValueError("Input X contains NaN.\nUse an imputer."))
    'ValueError: Input X contains NaN. Use an imputer'
    >>> summarize_error(NotFoundError("There is no model 'fraud'.", fix="Run a pipeline."))
    "There is no model 'fraud'"

    Args:
        error: Any error; of penstock's own, what happened is taken.
        longest: Maximum number of characters.
    """
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, PenstockError):
        text = error.what
    line = " ".join(text.split())
    return (line if len(line) <= longest else f"{line[: longest - 1]}…").rstrip(".: ")
