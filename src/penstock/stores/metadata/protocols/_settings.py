"""Settings of the store itself, and the counter of changes."""

from typing import Protocol


class SettingStore(Protocol):
    """Settings of the store itself, and the counter of changes."""

    def change_counter(self) -> int:
        """Return a number that moves with each change of a model or deployment; cheap to poll."""
        ...

    def get(self, name: str) -> str | None:
        """Return a setting; None if unset."""
        ...

    def add(self, name: str, value: str) -> str:
        """Set a setting unless set; return the current value."""
        ...

    def set(self, name: str, value: str, *, actor: str | None = None) -> None:
        """Set a setting; a change that affects promotions is recorded in STORE_HISTORY."""
        ...
