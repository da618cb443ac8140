"""F8: a file of 1 GiB and 10,000 files of 1 KiB, beside the disk's and SHA-256's own speed."""

import hashlib
import os
import time
from pathlib import Path

from figures import median_s, quiet_store, tell

import penstock as ps

GIB = 1 << 30
FILES = 10_000


def main() -> None:
    with quiet_store() as folder:
        block = os.urandom(1 << 24)
        big = folder / "big.bin"
        with big.open("wb") as file:
            for place in range(64):
                file.write(place.to_bytes(4, "little") + block[4:])
        hashing = GIB / median_s(lambda: digest(big), 3)
        writing = GIB / write_once(big, folder / "copy.bin")
        tell("F8", "SHA-256 of a file", hashing / 2**20, "MiB/s")
        tell("F8", "copying and syncing a file", writing / 2**20, "MiB/s")
        store = ps.open_store(f"sqlite:///{folder}/penstock.db")
        with ps.start_run(store=store) as run:
            started = time.perf_counter()
            run.log_artifact(big)
            speed = GIB / (time.perf_counter() - started)
        goal = 0.8 * min(hashing, writing) / 2**20
        tell("F8", "log_artifact of 1 GiB", speed / 2**20, "MiB/s", at_least=goal)
        small = folder / "small"
        small.mkdir()
        for place in range(FILES):
            (small / f"{place:05d}.bin").write_bytes(os.urandom(1024))
        with ps.start_run(store=store) as run:
            started = time.perf_counter()
            run.log_artifact(small)
            rate = FILES / (time.perf_counter() - started)
        assert len(store.metadata.list_artifacts(run.run_id)) == FILES
        tell("F8", "log_artifact of 10,000 files of 1 KiB", rate, "files/s", at_least=5000)


def digest(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def write_once(source: Path, target: Path) -> float:
    started = time.perf_counter()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(1 << 20):
            writer.write(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    seconds = time.perf_counter() - started
    target.unlink()
    return seconds


if __name__ == "__main__":
    main()
