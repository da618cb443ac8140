"""Settings of libraries that are not the defaults: the same code returns something else under them.

A notebook or a script sets them before a run (``sklearn.set_config(transform_output="pandas")``),
so that they are in no code that a step reaches. They are part of the step's key, and whoever
executes the step elsewhere sets them again.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

_PLAIN = (str, int, float, bool, type(None))
_OBJECT = "object "  # begins the text of a value that cannot be set again
_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


@dataclass(frozen=True, slots=True)
class _Library:
    """A library with settings for the whole process.

    Args:
        module: The module that holds them; only read if it is loaded.
        defaults: Function that returns the values of a fresh process, given the module.
        read: Function that returns the present values.
        put: Function that sets a value.
    """

    module: str
    defaults: Callable[[Any], Mapping[str, Any]]
    read: Callable[[Any], Mapping[str, Any]]
    put: Callable[[Any, str, Any], object]


def library_settings() -> dict[str, Any]:
    """Return the settings of loaded libraries that are not the defaults, by name.

    >>> import decimal
    >>> with decimal.localcontext(prec=7):
    ...     library_settings()["decimal.prec"]
    7
    """
    return {
        f"{name}.{setting}": value if type(value) in _PLAIN else f"{_OBJECT}{value!r}"
        for name, library in _LIBRARIES.items()
        if (module := sys.modules.get(library.module)) is not None
        for setting, value in _changed(library, module)
    }


def use_library_settings(settings: Mapping[str, Any]) -> None:
    """Set settings as they were when `library_settings` returned them; all others to the defaults.

    Values that are objects, such as a function that formats numbers, are not set.
    """
    for name, library in _LIBRARIES.items():
        wanted = {
            full.removeprefix(f"{name}."): value
            for full, value in settings.items()
            if full.startswith(f"{name}.") and not str(value).startswith(_OBJECT)
        }
        if not wanted and library.module not in sys.modules:
            continue
        module = import_module(library.module)
        defaults = library.defaults(module)
        present = dict(_changed(library, module))
        for setting in present.keys() | wanted.keys():
            library.put(module, setting, wanted.get(setting, defaults.get(setting)))


def _changed(library: _Library, module: Any) -> Iterator[tuple[str, Any]]:
    try:
        defaults, present = library.defaults(module), library.read(module)
    except Exception:  # noqa: BLE001 - the library is being imported, or is another version
        return
    for name, value in present.items():
        if name not in defaults or _differs(value, defaults[name]):
            yield name, value


def _differs(value: Any, default: Any) -> bool:
    try:
        return type(value) is not type(default) or bool(value != default)
    except Exception:  # noqa: BLE001 - an object that cannot be compared is not the default
        return True


def _pandas_options(config: Any) -> dict[str, Any]:
    """Return all options by name, read beside `get_option`, which warns about old ones."""
    found = {}
    for name in config._registered_options:  # noqa: SLF001 - no public list of names
        held = config._global_config  # noqa: SLF001
        for part in name.split("."):
            held = held[part]
        found[name] = held
    return found


_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_LIBRARIES: dict[str, _Library] = {
    "decimal": _Library(
        "decimal",
        lambda decimal: {name: getattr(decimal.DefaultContext, name) for name in _DECIMAL},
        lambda decimal: {name: getattr(decimal.getcontext(), name) for name in _DECIMAL},
        lambda decimal, name, value: setattr(decimal.getcontext(), name, value),
    ),
    "numpy.errors": _Library(
        "numpy",
        lambda _: _NUMPY_ERRORS,
        lambda numpy: numpy.geterr(),
        lambda numpy, name, value: numpy.seterr(**{name: value}),
    ),
    "pandas": _Library(
        "pandas._config.config",
        lambda config: {
            name: option.defval
            for name, option in config._registered_options.items()  # noqa: SLF001 - see above
        },
        _pandas_options,
        lambda config, name, value: config.set_option(name, value),
    ),
    "sklearn": _Library(
        "sklearn._config",
        lambda config: config._global_config,  # noqa: SLF001 - `get_config` tells the present ones only
        lambda config: config.get_config(),
        lambda config, name, value: config.set_config(**{name: value}),
    ),
    "torch": _Library(
        "torch",
        lambda _: {"default_dtype": "float32"},
        lambda torch: {"default_dtype": str(torch.get_default_dtype()).removeprefix("torch.")},
        lambda torch, _, value: torch.set_default_dtype(getattr(torch, value)),
    ),
}
