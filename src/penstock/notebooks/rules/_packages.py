"""NB4: imported packages against the project's requirements, and installs without a version."""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._events import Event
from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks.rules._analysis import Analysis, finding

# Distributions whose name is not the import's, as far as they need not be installed to be known.
DISTRIBUTIONS: Mapping[str, str] = {
    "sklearn": "scikit-learn", "skimage": "scikit-image", "cv2": "opencv-python", "PIL": "pillow",
    "yaml": "pyyaml", "bs4": "beautifulsoup4", "dateutil": "python-dateutil", "dotenv": "python-dotenv",
    "MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary", "Crypto": "pycryptodome",
    "mpl_toolkits": "matplotlib", "pylab": "matplotlib", "umap": "umap-learn", "imblearn": "imbalanced-learn",
    "google": "google-cloud", "fitz": "pymupdf", "serial": "pyserial", "git": "gitpython",
    "skopt": "scikit-optimize", "community": "python-louvain", "gensim": "gensim", "tf_keras": "tf-keras",
    "pytorch_lightning": "pytorch-lightning", "sentence_transformers": "sentence-transformers",
    "IPython": "ipython", "jwt": "pyjwt", "docx": "python-docx", "pptx": "python-pptx", "attr": "attrs",
}  # fmt: skip
_GIVEN = frozenset({"google", "IPython", "ipywidgets", "__future__", "pkg_resources", "setuptools"})
_FILES = ("requirements.txt", "pyproject.toml", "environment.yml", "environment.yaml", "setup.cfg",
          "Pipfile", "setup.py")  # fmt: skip
_WORD = re.compile(
    r"^\s*['\"]?([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*([=<>!~@^ ].*)?", re.ASCII
)
_PINNED = re.compile(r"===?|@|\bhash\b")


def check_packages(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find imports that no requirements file of the project declares, and unpinned installs."""
    yield from _installs(analysis)
    declared = find_requirements(analysis.notebook.path)
    missing: dict[str, tuple[NotebookCell, int]] = {}
    for cell, event, package in _imports(analysis):
        if declared is None or package not in declared:
            missing.setdefault(package, (cell, event.line))
        elif not declared[package]:
            declared[package] = True  # once
            yield _unpinned(cell, event.line, package)
    if declared is None and missing:
        yield _no_file(missing)
        return
    for package, (cell, line) in missing.items():
        message = f"{package} is imported and declared in no requirements file of the project."
        yield finding(cell, "NB4", "warning", line, message, name=package)


def find_requirements(path: Path) -> dict[str, bool] | None:
    """Return which packages a notebook's project declares, with whether the version is exact.

    None if neither the notebook's folder nor a folder above in the repository has such a file.
    """
    for place in _project_folders(path.resolve().parent):
        files = [file for name in _FILES if (file := place / name).is_file()]
        files += sorted(place.glob("requirements*.txt")) + sorted(place.glob("requirements/*.txt"))
        if files:
            return {name: exact for file in files for name, exact in _declared(file)}
    return None


def distribution_of(module: str) -> str:
    """Return the package that has a top-level module, normalized.

    >>> distribution_of("sklearn"), distribution_of("my_lib")
    ('scikit-learn', 'my-lib')
    """
    distribution = DISTRIBUTIONS.get(module) or next(iter(_installed().get(module, ())), module)
    return _normal(distribution)


def _project_folders(folder: Path) -> list[Path]:
    """Return the folder and those above, up to the repository's; without a repository the folder alone."""
    above = [folder, *folder.parents]
    roots = [place for place, each in enumerate(above) if (each / ".git").exists()]
    return above[: roots[0] + 1] if roots else [folder]


def _imports(analysis: Analysis) -> Iterator[tuple[NotebookCell, Event, str]]:
    folder = analysis.notebook.path.parent
    seen: set[str] = set()
    for cell in analysis.cells:
        for event in analysis.flows[cell.index].flat:
            module = (event.name if event.kind == "star" else event.other).partition(".")[0]
            if event.kind not in {"import", "star"} or not module or module in seen:
                continue
            seen.add(module)
            is_own = (folder / f"{module}.py").is_file() or (folder / module).is_dir()
            if not is_own and module not in sys.stdlib_module_names and module not in _GIVEN:
                yield cell, event, distribution_of(module)


def _installs(analysis: Analysis) -> Iterator[NotebookFinding]:
    for cell in analysis.notebook.code_cells:
        for magic in cell.python.magics:
            loose = _loose(magic.argument) if magic.is_install else []
            if loose:
                message = f"{', '.join(loose)} {'is' if len(loose) == 1 else 'are'} installed without a version."
                yield finding(cell, "NB4", "warning", magic.line, message, name=loose[0])


def _loose(argument: str) -> list[str]:
    """Return the packages of an install command that have no exact version."""
    words = argument.split()
    names, skip = [], False
    for word in words[words.index("install") + 1 :]:
        if skip or word.startswith(("-", "#")):
            skip = word in {"-r", "--requirement", "-c", "-f", "-i", "--index-url", "--channel"}
            continue
        is_source = "/" in word or word.endswith((".whl", ".gz", ".txt", ".")) or "{" in word
        if not is_source and not _PINNED.search(word):
            names.append(word.strip("'\""))
    return names


def _unpinned(cell: NotebookCell, line: int, package: str) -> NotebookFinding:
    message = f"{package} is declared without an exact version."
    fix = f"Pin it, for example: {package}=={_version(package)}"
    return finding(cell, "NB4", "info", line, message, fix=fix, name=package)


def _no_file(missing: dict[str, tuple[NotebookCell, int]]) -> NotebookFinding:
    cell, line = next(iter(missing.values()))
    message = (
        f"The notebook imports {', '.join(sorted(missing))}, and there is no requirements.txt or"
        " pyproject.toml in its folder or the repository's."
    )
    pins = ", ".join(f"{name}=={_version(name)}" for name in sorted(missing))
    return finding(
        cell, "NB4", "warning", line, message, fix=f"Write requirements.txt with: {pins}."
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "VERSION"


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


def _declared(file: Path) -> Iterator[tuple[str, bool]]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
        lines = _toml_lines(text) if file.suffix == ".toml" else text.splitlines()
    except (OSError, tomllib.TOMLDecodeError):
        return
    for line in lines:
        line = line.strip().removeprefix("- ")  # noqa: PLW2901 - an item of environment.yml
        match = None if line.startswith(("#", "-", "[")) else _WORD.match(line)
        if match:
            yield _normal(match[1]), bool(_PINNED.search(match[3] or ""))


def _toml_lines(text: str) -> list[str]:
    document = tomllib.loads(text)
    project = document.get("project", {})
    lines = list(project.get("dependencies", ()))
    groups = [*project.get("optional-dependencies", {}).values()]
    groups += document.get("dependency-groups", {}).values()
    lines += [each for group in groups for each in group if isinstance(each, str)]
    poetry = document.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return [*lines, *(f"{name} {version}" for name, version in poetry.items())]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
