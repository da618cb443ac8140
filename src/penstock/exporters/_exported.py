"""What an export gives: a file for another engine as text, or what was written of runs."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Exported:
    """A pipeline, run or model in the form of another system.

    Args:
        to: The engine or platform: ``airflow``.
        file: Usual name of the file.
        text: The file.
        notes: What is not carried over, a sentence each.
    """

    to: str
    file: str
    text: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class RunsExport:
    """What an export of runs has written.

    Args:
        target: The server or the place that was written to.
        runs: By run id, the run's id, name or folder there.
        unchanged: Number of runs that were there already.
        points: Number of metric points written.
        files: Number of files written.
        lost: What has no place there, as sentences.
    """

    target: str
    runs: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0
    points: int = 0
    files: int = 0
    lost: list[str] = field(default_factory=list)
