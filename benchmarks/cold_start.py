"""F3: a one-step pipeline as a whole cold process, through the command, and `import penstock`."""

import os
import subprocess
import sys
from pathlib import Path

from figures import median_s, quiet_store, tell, tell_multiple

PIPELINE = """
import penstock as ps


@ps.step
def hello() -> str:
    return "hello"


@ps.pipeline
def greeting() -> str:
    return hello()
"""


def main() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = str(Path(sys.executable).with_name("penstock"))

    def call(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True, env=environment)

    with quiet_store() as folder:
        (folder / "greeting.py").write_text(PIPELINE, encoding="utf-8")
        call(command, "run", "greeting.py", "-q")
        seconds = median_s(lambda: call(command, "run", "greeting.py", "-q", "--no-cache"))
        tell("F3", "one-step pipeline, whole process", seconds, "s", 0.12)
        tell_multiple("F3", "one-step pipeline, whole process", seconds)
        bare = median_s(lambda: call(sys.executable, "-c", "pass"))
        tell("F3", "bare interpreter, for comparison", bare, "s")
        seconds = median_s(lambda: call(sys.executable, "-c", "import penstock"))
        tell("F3", "import penstock, beyond the interpreter", max(seconds - bare, 0), "s", 0.03)
        count = subprocess.run(
            [sys.executable, "-c", "import sys; a=len(sys.modules); import penstock; print(len(sys.modules)-a)"],
            check=True, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        tell("F3", "modules that import penstock loads", float(count.stdout), "modules", 90)


if __name__ == "__main__":
    main()
