"""The code digest moves when code that a step reaches changes, and only then."""

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from penstock.provenance import _code as code
from penstock.provenance import _packages as packages
from penstock.provenance import _walk as walk
from penstock.provenance import code_digest, is_own

HELPERS = """
'''Helpers.'''
import math

SCALE = 2


def scaled(x):
    '''Scale.'''
    return x * SCALE


def unused(x):
    return math.sqrt(x)
"""

STEPS = """
import numpy as np
import helpers
from helpers import scaled as bigger
import penstock as ps

LIMIT = 3
OPTIONS = {}
OPTIONS["depth"] = 1


class Model:
    def predict(self):
        return 1


@ps.step(retries=1)
def train(x):
    # a comment
    return np.clip(bigger(x), 0, LIMIT)


def build(x):
    return Model()


def other(x):
    return OPTIONS


def whole(x):
    return getattr(helpers, x)


def attribute(x):
    return helpers.SCALE


def dynamic(x):
    return globals()[x]


def local(x):
    from helpers import unused
    return unused(x)


if __name__ == "__main__":
    train(1)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(steps=STEPS, helpers=HELPERS):
        for name, text in (("helpers", helpers), ("mysteps", steps)):
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        return importlib.import_module("mysteps")

    yield load
    for name in ("helpers", "mysteps", "pack", "pack.inner", "pack.deep"):
        sys.modules.pop(name, None)


def digest(module, name, folder):
    function = getattr(module, name)
    return code_digest(getattr(function, "function", function), folder)


def test_parts_are_what_is_reached_and_nothing_else(project, tmp_path):
    found = digest(project(), "train", tmp_path)
    assert [name for name in found.parts if not name.startswith("package")] == [
        "helpers.py:SCALE",
        "helpers.py:scaled",
        "mysteps.py:LIMIT",
        "mysteps.py:train",
    ]
    assert found.parts["package numpy"] == np.__version__
    assert found.complete


CHANGES = [
    # function, old, new, does it move?
    ("train", "# a comment", "# another comment, and\n    # one more", False),
    ("train", "retries=1", "retries=5", False),
    ("train", "LIMIT = 3", "LIMIT = 4", True),
    ("train", "np.clip", "np.abs", True),
    ("train", "return Model()", "return Model() or 1", False),
    ("train", "train(1)", "train(2)", False),
    ("build", "return 1", "return 2", True),
    ("other", 'OPTIONS["depth"] = 1', 'OPTIONS["depth"] = 2', True),
    ("dynamic", "return Model()", "return Model() or 1", True),
]


@pytest.mark.parametrize(("function", "old", "new", "moves"), CHANGES)
def test_the_digest_moves_with_the_code_that_is_reached(
    project, tmp_path, function, old, new, moves
):
    before = digest(project(), function, tmp_path).digest
    assert old in STEPS
    after = digest(project(STEPS.replace(old, new)), function, tmp_path).digest
    assert (before != after) is moves


@pytest.mark.parametrize(
    ("function", "old", "new", "moves"),
    [
        ("train", "SCALE = 2", "SCALE = 3", True),
        ("train", "'''Scale.'''", "'''Scale it.'''", False),
        ("train", "math.sqrt(x)", "math.exp(x)", False),
        ("whole", "math.sqrt(x)", "math.exp(x)", True),
        ("attribute", "SCALE = 2", "SCALE = 3", True),
        ("attribute", "math.sqrt(x)", "math.exp(x)", False),
        ("local", "math.sqrt(x)", "math.exp(x)", True),
        ("local", "SCALE = 2", "SCALE = 3", False),
    ],
)
def test_code_of_other_modules_counts_where_it_is_reached(
    project, tmp_path, function, old, new, moves
):
    before = digest(project(), function, tmp_path).digest
    assert old in HELPERS
    after = digest(project(helpers=HELPERS.replace(old, new)), function, tmp_path).digest
    assert (before != after) is moves


def test_code_that_may_travel_inside_values_is_carried_on(project, tmp_path):
    assert digest(project(), "train", tmp_path).carried is None
    before = digest(project(), "build", tmp_path).carried
    assert before is not None
    same = project(STEPS.replace("return Model()", "return Model() or 1"))
    assert digest(same, "build", tmp_path).carried == before
    other = project(STEPS.replace("return 1", "return 2"))
    assert digest(other, "build", tmp_path).carried != before


def test_registered_functions_count_though_no_name_leads_to_them(project, tmp_path):
    text = """
    from functools import singledispatch

    @singledispatch
    def shown(x):
        return "?"

    @shown.register
    def _(x: int):
        return "int"

    def use(x):
        return shown(x)
    """
    before = digest(project(text), "use", tmp_path).digest
    assert digest(project(text.replace('"int"', '"number"')), "use", tmp_path).digest != before


@pytest.mark.parametrize(
    ("decorator", "counts"),
    [
        ("pytest.mark.skipif(False, reason='')", False),
        ("pytest.fixture", False),
        ("pytest.mark.usefixtures('x')", True),  # such a name may change the library
    ],
)
def test_a_known_librarys_decorator_counts_by_its_name_alone(project, tmp_path, decorator, counts):
    module = project(f"""
    import pytest

    @{decorator}
    def use():
        return 1
    """)
    assert bool(code.effects_digest([module.__name__], tmp_path).parts) is counts


def test_an_edited_file_counts_only_once_it_is_loaded_again(project, tmp_path):
    module = project()
    before = digest(module, "train", tmp_path).digest
    (tmp_path / "mysteps.py").write_text(STEPS.replace("LIMIT = 3", "LIMIT = 4"))
    assert digest(module, "train", tmp_path).digest == before, "the old code is what runs"
    assert digest(importlib.reload(module), "train", tmp_path).digest != before


def test_packages_relative_imports_stars_and_re_exports_are_followed(project, tmp_path):
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("from .inner import rate\nfrom . import deep\n")
    (pack / "inner.py").write_text("def rate():\n    return 1\n")
    (pack / "deep.py").write_text("def far():\n    return 1\n\ndef near():\n    return 2\n")
    text = """
    import pack.deep
    from pack import rate, deep as renamed
    from pack.deep import *

    def one():
        return rate()

    def two():
        return far()

    def three():
        return renamed

    def four():
        return pack.deep.near()
    """
    module = project(text)
    parts = {
        name: set(digest(module, name, tmp_path).parts) for name in ("one", "two", "three", "four")
    }
    assert parts["one"] == {"mysteps.py:one", "pack/inner.py:rate"}
    assert parts["two"] == {"mysteps.py:two", "pack/deep.py:far"}
    assert parts["three"] == {"mysteps.py:three", "pack/deep.py:far", "pack/deep.py:near"}
    assert parts["four"] == {"mysteps.py:four", "pack/deep.py:near"}


def make(depth, extra=None):
    def step(x, power=depth):
        return x * depth if extra is None else extra

    return step


def test_what_a_nested_function_carries_counts(tmp_path):
    assert code_digest(make(1), tmp_path).digest == code_digest(make(1), tmp_path).digest
    assert code_digest(make(1), tmp_path).digest != code_digest(make(2), tmp_path).digest


def test_a_carried_value_without_a_digest_makes_the_code_incomplete(tmp_path):
    assert code_digest(make(1), tmp_path).complete
    found = code_digest(make(1, extra=(number for number in [1])), tmp_path)
    assert not found.complete
    assert any("which has no digest" in value for value in found.parts.values())


def test_an_expression_of_polars_that_calls_python_makes_the_code_incomplete(tmp_path):
    import polars as pl

    plain = pl.col("a") + 1
    assert code_digest(make(1, extra=plain), tmp_path).complete
    calling = plain.map_elements(lambda value: value, return_dtype=pl.Int64)
    assert not code_digest(make(1, extra=calling), tmp_path).complete


def test_carried_functions_classes_and_modules_are_followed(tmp_path):
    def inner():
        return 1

    for value in (inner, np, dict, make):
        assert code_digest(make(1, extra=value), tmp_path).complete
    assert "package numpy" in code_digest(make(1, extra=np), tmp_path).parts


def live(text, name="f", **scope):
    scope = {"__name__": "__main__", **scope}
    exec(compile(textwrap.dedent(text), "<notebook>", "exec"), scope)
    return scope[name]


def test_a_notebooks_functions_are_digested_from_what_they_are(tmp_path):
    text = """
    SCALE = 2

    class Box:
        size = 1
        def get(self):
            return self.size

    def g(x):
        return x * SCALE

    def f(x):
        '''Docstring.'''
        return [g(item) for item in x], Box
    """
    before = code_digest(live(text), tmp_path)
    assert before.complete
    assert code_digest(live(text), tmp_path).digest == before.digest
    for old, new in (
        ("SCALE = 2", "SCALE = 3"),
        ("x * SCALE", "x + SCALE"),
        ("size = 1", "size = 2"),
    ):
        assert code_digest(live(text.replace(old, new)), tmp_path).digest != before.digest
    moved = code_digest(live("\n\n" + text), tmp_path)
    assert moved.digest == before.digest


def test_a_notebooks_table_makes_the_code_incomplete(tmp_path):
    function = live("def f():\n    return table\n", table=np.zeros(3))
    assert not code_digest(function, tmp_path).complete


def test_installed_and_built_in_functions_count_by_name_and_version(tmp_path):
    import polars as pl

    assert code_digest(len, tmp_path).parts == {}
    assert code_digest(len, tmp_path).digest != code_digest(sum, tmp_path).digest
    assert code_digest(pl.concat, tmp_path).parts["package polars"] == pl.__version__


@pytest.mark.parametrize(
    ("file", "own"),
    [(__file__, True), (code.__file__, False), (np.__file__, False), (textwrap.__file__, False)],
)
def test_only_the_users_files_are_own(file, own):
    assert is_own(Path(file)) is own


def test_text_in_a_notebooks_comprehension_counts(tmp_path):
    text = "def f(x):\n    return [str('one') for _ in x]\n"
    before = code_digest(live(text), tmp_path).digest
    assert code_digest(live(text.replace("'one'", "'two'")), tmp_path).digest != before


@pytest.mark.parametrize(
    ("statement", "changed"),
    [
        ("A, B = 1, 2", "A, B = 1, 3"),
        ("[A, *B] = 1, 2", "[A, *B] = 1, 3"),
        ("B: int = 2", "B: int = 3"),
        ("B = 2\nB += 1", "B = 2\nB += 2"),
        ("class B:\n    x = 1", "class B:\n    x = 2"),
        ("B = {}\nB.update(a=1)", "B = {}\nB.update(a=2)"),
        (
            "try:\n    B = 1\nexcept OSError:\n    B = 2",
            "try:\n    B = 2\nexcept OSError:\n    B = 2",
        ),
    ],
)
def test_every_way_to_bind_a_name_counts(project, tmp_path, statement, changed):
    text = "{}\n\n\ndef use():\n    return B\n"
    before = digest(project(text.format(statement)), "use", tmp_path).digest
    assert digest(project(text.format(statement)), "use", tmp_path).digest == before
    assert digest(project(text.format(changed)), "use", tmp_path).digest != before


def test_a_module_that_is_imported_only_when_the_step_runs_counts_already(project, tmp_path):
    (tmp_path / "late.py").write_text("def rate():\n    return 1\n")
    module = project("def use():\n    import late\n    return late.rate()\n")
    assert "late" not in sys.modules
    assert list(digest(module, "use", tmp_path).parts) == [
        "late.py:(whole file)",
        "mysteps.py:use",
    ]


def test_modules_that_import_a_name_from_each_other_end(project, tmp_path):
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("")
    (pack / "inner.py").write_text("from pack.deep import name\n")
    (pack / "deep.py").write_text("from pack.inner import name\n")
    module = project("def use():\n    from pack.inner import name\n    return name\n")
    assert "mysteps.py:use" in digest(module, "use", tmp_path).parts


def test_quoted_annotations_lead_to_their_classes(project, tmp_path):
    text = "class Model:\n    pass\n\n\ndef use(x: 'Model'):\n    return x\n"
    assert "mysteps.py:Model" in digest(project(text), "use", tmp_path).parts


def test_a_step_wrapped_by_the_projects_own_decorator_counts_with_it(project, tmp_path):
    text = """
    import functools

    def loud(function):
        @functools.wraps(function)
        def inner():
            return function() + 1
        return inner

    @loud
    def use():
        return 1
    """
    before = digest(project(text), "use", tmp_path).digest
    assert digest(project(text.replace("+ 1", "+ 2")), "use", tmp_path).digest != before


def test_a_class_given_as_a_value_counts_by_its_code(project, tmp_path):
    text = "class Model:\n    x = 1\n\n\ndef make(cls):\n    def step():\n        return cls\n    return step\n\n\nuse = make(Model)\n"
    before = digest(project(text), "use", tmp_path)
    assert "mysteps.py:Model" in before.parts
    assert digest(project(text.replace("x = 1", "x = 2")), "use", tmp_path).digest != before.digest


def test_another_version_of_a_package_is_another_digest(project, tmp_path, monkeypatch):
    module = project()
    before = digest(module, "train", tmp_path)
    assert "package numpy" in before.parts
    monkeypatch.setattr(walk, "module_version", lambda name: (name.partition(".")[0], "9.9"))
    after = digest(module, "train", tmp_path)
    assert after.parts["package numpy"] == "9.9"
    assert after.digest != before.digest


def test_a_package_in_a_shared_namespace_counts_by_the_distribution_of_its_file(
    project, tmp_path, monkeypatch
):
    site = tmp_path / "site-packages"
    found = []
    for version in ("1.0", "1.1"):
        (site / "shared_space" / "inner").mkdir(parents=True, exist_ok=True)
        (site / "shared_space" / "inner" / "__init__.py").write_text("def f():\n    return 1\n")
        info = site / f"shared.space_inner-{version}.dist-info"
        info.mkdir()
        (info / "RECORD").write_text("shared_space/inner/__init__.py,,\n")
        monkeypatch.syspath_prepend(str(site))
        packages._found.cache_clear()
        packages.module_version.cache_clear()
        module = project(
            "import shared_space.inner\ndef use():\n    return shared_space.inner.f()\n"
        )
        found.append(digest(module, "use", tmp_path))
        for path in info.iterdir():
            path.unlink()
        info.rmdir()
    assert found[0].digest != found[1].digest
    assert [[v for n, v in f.parts.items() if n[:7] == "package"] for f in found] == [
        ["1.0"],
        ["1.1"],
    ]
    sys.modules.pop("shared_space.inner")
    sys.modules.pop("shared_space")


def test_a_package_that_a_step_loads_counts_alike_before_and_after_it_is_loaded(tmp_path):
    (tmp_path / "lazy_job.py").write_text(
        "import numpy as np\n"
        "def step():\n"
        "    np.random.normal(size=2), np.linalg.norm([1.0])\n"
        "    import json.tool, colorsys, xmlrpc.client as client\n"
        "    from sklearn.dummy import DummyClassifier\n"
        "    import sklearn.tree\n"
        "    return colorsys.rgb_to_hsv, client.dumps, sklearn.tree.DecisionTreeClassifier\n"
    )
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path\n"
        "from lazy_job import step\n"
        "from penstock.provenance import code_digest\n"
        "first = code_digest(step, Path.cwd())\n"
        "step()\n"
        "print(first == code_digest(step, Path.cwd()) and first.digest)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("sha256:"), done.stderr
