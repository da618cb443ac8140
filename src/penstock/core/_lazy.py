"""``lazy_exports``: package names that load on first use, so that importing stays cheap."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(
    package: str, names: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return a package's ``__getattr__``, ``__dir__`` and ``__all__`` (PEP 562).

    Args:
        package: The package's ``__name__``.
        names: Public name to the defining module: ``_file`` in the package, or absolute.
    """

    def load(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place = names[name]
        module = importlib.import_module(f"{package}.{place}" if place[0] == "_" else place)
        value = getattr(module, name)
        setattr(importlib.import_module(package), name, value)
        return value

    public = sorted(names)
    return load, lambda: public, public
