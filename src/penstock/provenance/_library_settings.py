"""Settings of libraries that are not the defaults: the same code returns something else under them.

A notebook or a script sets them before a run (``sklearn.set_config(transform_output="pandas")``),
so that they are in no code that a step reaches. They are part of the step's key, and whoever
executes the step elsewhere sets them again.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from typing import Any

_PLAIN = (str, int, float, bool, type(None))
_OBJECT = "object "
"""Begins the text of a value that cannot be set again from a text."""
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
        f"{name}.{setting}": _as_plain(value)
        for name, library in _LIBRARIES.items()
        if (module := sys.modules.get(library.module)) is not None
        for setting, value in _changed(library, module)
    }


def library_setting_objects() -> dict[str, Any]:
    """Return those of the settings that are objects, such as a function that formats numbers.

    `library_settings` has only a text for them, which does not say what they do.
    """
    return {
        f"{name}.{setting}": value
        for name, library in _LIBRARIES.items()
        if (module := sys.modules.get(library.module)) is not None
        for setting, value in _changed(library, module)
        if is_object_setting(_as_plain(value))
    }


def is_object_setting(plain: Any) -> bool:
    """Return whether a value of `library_settings` stands for an object."""
    return str(plain).startswith(_OBJECT)


def use_library_settings(
    settings: Mapping[str, Any], objects: Mapping[str, Any] | None = None
) -> None:
    """Set settings as they were when `library_settings` returned them; all others to the defaults.

    Args:
        settings: The settings.
        objects: Values of those that are objects; without its value a setting stays as it is here,
            where the imports of the pipeline may have set it.
    """
    known = objects or {}
    for name, library in _LIBRARIES.items():
        wanted = {
            full.removeprefix(f"{name}."): known.get(full, value)
            for full, value in settings.items()
            if full.startswith(f"{name}.") and (full in known or not is_object_setting(value))
        }
        if not wanted and library.module not in sys.modules:
            continue
        module = import_module(library.module)
        kept = {
            setting: value
            for setting, value in _changed(library, module)
            if f"{name}.{setting}" in settings and setting not in wanted
        }
        _put(library, module, {**kept, **wanted})


@contextmanager
def keep_library_settings() -> Iterator[None]:
    """Set all settings after the block as they were before it, objects too.

    A library that the block has loaded gets its defaults.
    """
    before = {
        name: dict(_changed(library, module))
        for name, library in _LIBRARIES.items()
        if (module := sys.modules.get(library.module)) is not None
    }
    try:
        yield
    finally:
        for name, library in _LIBRARIES.items():
            if (module := sys.modules.get(library.module)) is not None:
                _put(library, module, before.get(name, {}))


def _put(library: _Library, module: Any, wanted: Mapping[str, Any]) -> None:
    """Set a library's settings; those that are not named to the defaults."""
    defaults, present = library.defaults(module), dict(_changed(library, module))
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


@cache
def _default_style(matplotlib: Any) -> dict[str, Any]:
    """Return what decides how matplotlib draws: all but where it draws."""
    return {
        name: value
        for name, value in dict.items(matplotlib.rcParamsDefault)
        if not name.startswith(_NOT_DRAWN)
    }


def _style(matplotlib: Any) -> dict[str, Any]:
    held = matplotlib.rcParams  # asked as a dict: its own methods look for a screen
    return {name: dict.__getitem__(held, name) for name in _default_style(matplotlib)}


def _as_plain(value: Any) -> Any:
    """Return a setting as a text, number or list of them; anything else as a text that says so."""
    if isinstance(value, Enum):
        value = value.value
    items = list(value) if isinstance(value, list | tuple) else [value]
    if not all(type(item) in _PLAIN for item in items):
        # Matplotlib reads a cycler from its own text.
        return f"{'' if type(value).__name__ == 'Cycler' else _OBJECT}{value!r}"
    return items if isinstance(value, list | tuple) else value


def _polars_state(config: Any) -> dict[str, Any]:
    state = config.Config.state()
    return {name: value for name, value in state.items() if value != _POLARS.get(name)}


def _put_polars(config: Any, name: str, value: Any) -> None:
    kind = "direct" if name in _POLARS else "environment"
    config.Config.load(json.dumps({kind: {name: value}}))


def _keras_state(keras: Any) -> dict[str, Any]:
    config = keras.config
    found = {name: getattr(config, name)() for name in ("floatx", "epsilon", "image_data_format")}
    return found | {"dtype_policy": config.dtype_policy().name}


def _torch_state(torch: Any) -> dict[str, str]:
    return {
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
    }


def _put_torch(torch: Any, name: str, value: str) -> None:
    put = getattr(torch, f"set_{name}")
    put(getattr(torch, value) if name == "default_dtype" else value)


_NOT_DRAWN = (
    "backend", "docstring", "figure.hooks", "figure.max_open_warning", "figure.raise_window",
    "interactive", "keymap", "macosx", "savefig.directory", "tk.", "toolbar", "webagg",
)  # fmt: skip
_PRINTING = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False,
    "linewidth": 75, "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None,
    "legacy": False, "override_repr": None,
}  # fmt: skip
_POLARS = {
    "set_fmt_float": "mixed", "set_float_precision": None, "set_thousands_separator": "",
    "set_decimal_separator": ".", "set_trim_decimal_zeros": False,
}  # fmt: skip
_KERAS = {
    "floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last",
    "dtype_policy": "float32",
}  # fmt: skip
_LOCALE = ("LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME")  # LC_CTYPE is the machine's
_TORCH = {"default_dtype": "float32", "float32_matmul_precision": "highest"}
_NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_LIBRARIES: dict[str, _Library] = {
    "decimal": _Library(
        "decimal",
        lambda decimal: {name: getattr(decimal.DefaultContext, name) for name in _DECIMAL},
        lambda decimal: {name: getattr(decimal.getcontext(), name) for name in _DECIMAL},
        lambda decimal, name, value: setattr(decimal.getcontext(), name, value),
    ),
    "keras": _Library(
        "keras",
        lambda _: _KERAS,
        _keras_state,
        lambda keras, name, value: getattr(keras.config, f"set_{name}")(value),
    ),
    "locale": _Library(
        "locale",
        lambda _: dict.fromkeys(_LOCALE, "C"),
        lambda locale: {name: locale.setlocale(getattr(locale, name)) for name in _LOCALE},
        lambda locale, name, value: locale.setlocale(getattr(locale, name), value),
    ),
    "matplotlib": _Library(
        "matplotlib",
        _default_style,
        _style,
        lambda matplotlib, name, value: matplotlib.rcParams.update({name: value}),
    ),
    "numpy.errors": _Library(
        "numpy",
        lambda _: _NUMPY_ERRORS,
        lambda numpy: numpy.geterr(),
        lambda numpy, name, value: numpy.seterr(**{name: value}),
    ),
    "numpy.printing": _Library(
        "numpy",
        lambda _: _PRINTING,
        lambda numpy: {n: v for n, v in numpy.get_printoptions().items() if n in _PRINTING},
        lambda numpy, name, value: numpy.set_printoptions(**{name: value}),
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
    "plotly": _Library(
        "plotly.io",
        lambda _: {"template": "plotly"},
        lambda io: {"template": io.templates.default},
        lambda io, _, value: setattr(io.templates, "default", value),
    ),
    "polars": _Library("polars.config", lambda _: {}, _polars_state, _put_polars),
    "sklearn": _Library(
        "sklearn._config",
        lambda config: config._global_config,  # noqa: SLF001 - `get_config` tells the present ones only
        lambda config: config.get_config(),
        lambda config, name, value: config.set_config(**{name: value}),
    ),
    "torch": _Library(
        "torch",
        lambda _: _TORCH,
        _torch_state,
        _put_torch,
    ),
}
