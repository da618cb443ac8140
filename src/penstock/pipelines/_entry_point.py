"""EntryPoint: where a pipeline is defined, as text that any process can load."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from penstock.pipelines._pipeline import Pipeline
from penstock.provenance import is_own


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where a pipeline is defined: ``file.py:name`` or ``module:name``.

    >>> EntryPoint.parse("jobs/train.py:nightly")
    EntryPoint(module='jobs/train.py', name='nightly')
    >>> str(EntryPoint.parse("jobs/train.py:nightly").below(Path("/project")))
    '/project/jobs/train.py:nightly'

    Args:
        module: File of the module, or the full name.
        name: Name of the pipeline; empty for the only pipeline.
    """

    module: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an entry point; ``str`` returns the text form.

        >>> EntryPoint.parse("C:/jobs/train.py").name  # a drive's letter is no file
        ''
        """
        has_name = ":" in text.replace("\\", "/").rsplit("/", 1)[-1]
        if not has_name:
            return cls(text)
        module, _, name = text.rpartition(":")
        return cls(module, name)

    @classmethod
    def of(cls, pipeline: Pipeline[..., Any], project: Path) -> Self | None:
        """Return the entry point of a pipeline, with the file relative to the project.

        Returns:
            None if there is no entry point: the pipeline was made in a notebook or in a function.
        """
        function, path = pipeline.function, Path(pipeline.file)
        if "." in function.__qualname__ or not path.is_file():
            return None
        if not is_own(path):
            return cls(function.__module__, function.__name__)
        path = path.resolve()
        if not path.is_relative_to(project):
            return None
        return cls(path.relative_to(project).as_posix(), function.__name__)

    def __str__(self) -> str:
        return f"{self.module}:{self.name}" if self.name else self.module

    @property
    def is_file(self) -> bool:
        """True for a file, False for a module."""
        return self.module.endswith(".py")

    def below(self, folder: Path) -> Self:
        """Return the entry point with the file in a folder; a module is found by name."""
        return type(self)(str(folder / self.module), self.name) if self.is_file else self
