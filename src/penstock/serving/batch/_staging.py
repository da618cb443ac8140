"""BatchStaging: finished parts of a batch on the disk; a killed batch goes on after the last part."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

_PLAN, _WRITTEN = "batch.json", "written"


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A finished part.

    Args:
        number: Place among the parts.
        rows: Rows of the source.
        predicted: Rows predicted.
        refused: Rows refused.
        warned: Predicted rows with warnings.
        answers: Evidence that the answers are those of single requests.
        digest: Digest of the source's rows; empty where the source has a mark of the state.
    """

    number: int
    rows: int
    predicted: int
    refused: int
    warned: int
    answers: str
    digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the part as plain JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class BatchStaging:
    """The folder of a batch under way.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def batch_id(self) -> str | None:
        """The run of the batch that was begun here; None if there is none."""
        try:
            recorded: str = json.loads((self.folder / _PLAN).read_text())["batch_id"]
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return recorded

    @property
    def is_written(self) -> bool:
        """Whether the target was about to appear, complete."""
        return (self.folder / _WRITTEN).exists()

    def begin(self, batch_id: str, plan: Mapping[str, Any]) -> None:
        """Record the batch that begins."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(_PLAN, json.dumps({"batch_id": batch_id, **plan}, indent=1).encode())

    def find(self, number: int) -> StagedPart | None:
        """Return a finished part; None if unfinished."""
        try:
            return StagedPart(**json.loads(self._place(number, "json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def add(self, part: StagedPart, table: "pl.DataFrame", refused: list[dict[str, Any]]) -> None:
        """Record a finished part; a part counts once wholly on the disk."""
        under_way = self.folder / "under-way.arrow"
        table.write_ipc(under_way)
        under_way.replace(self.table(part.number))
        lines = [json.dumps(each, default=str, ensure_ascii=False) + "\n" for each in refused]
        self._write(self._place(part.number, "refused.jsonl").name, "".join(lines).encode())
        self._write(self._place(part.number, "json").name, json.dumps(part.to_json()).encode())

    def table(self, number: int) -> Path:
        """Return the place of a part's predictions."""
        return self._place(number, "arrow")

    def join_refused(self, parts: int) -> Path:
        """Join the refused rows of all parts into a file."""
        whole = self.folder / "refused.jsonl"
        with whole.open("wb") as opened:
            for number in range(parts):
                opened.write(self._place(number, "refused.jsonl").read_bytes())
        return whole

    def note_written(self) -> None:
        """Record that the target is about to appear, complete."""
        self._write(_WRITTEN, b"")

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _place(self, number: int, ending: str) -> Path:
        return self.folder / f"part-{number:06}.{ending}"

    def _write(self, name: str, data: bytes) -> None:
        under_way = self.folder / f"{name}.under-way"
        under_way.write_bytes(data)
        under_way.replace(self.folder / name)
