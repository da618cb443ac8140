"""``require``: the single way to import an optional package."""

import importlib
from types import ModuleType

from penstock.core._errors import MissingPackageError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or raise an error with the command that installs the package.

    >>> require("json", extra="none", purpose="the example").__name__
    'json'

    Args:
        module: Import name, dots allowed.
        extra: The extra of penstock with the package.
        purpose: The feature that needs the package, for the message.

    Raises:
        MissingPackageError: If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            what=f"{module} is not installed ({error}).",
            why=f"It is needed for {purpose}.",
            fix=f'Run: pip install "penstock[{extra}]"',
            module=module,
        ) from error
