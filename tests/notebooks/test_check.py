"""`check_notebook`: never a crash, findings that are true, and none missing where an execution fails."""

import builtins
import contextlib
import io
import json
import random

import pytest
from tests.notebooks.corpus import names_notebook, random_notebook, write_notebook

from penstock.core import NotFoundError
from penstock.notebooks import RULES, check_notebook, check_notebooks


def rules(path, *, level=None):
    found = check_notebook(path).findings
    return [(each.rule, each.cell) for each in found if level is None or each.level == level]


@pytest.mark.parametrize("hundred", range(6))
def test_six_hundred_files_as_people_leave_them_are_checked_without_a_crash(tmp_path, hundred):
    checked = 0
    for seed in range(hundred * 100, hundred * 100 + 100):
        path = tmp_path / f"{seed}.ipynb"
        path.write_bytes(random_notebook(seed))
        report = check_notebook(path)
        for found in report.findings:
            assert found.rule in RULES
            assert found.message
            assert found.why
            assert found.repair
            assert found.line >= 1
        json.dumps(report.to_json())
        checked += 1
    assert checked == 100


def real_name_errors(cells):
    """Execute cells from top to bottom; a name that is missing is noted, given a value, and the cell repeated."""
    space = {"__name__": "__main__", "display": print}
    missing = []
    for number, source in enumerate(cells, start=1):
        for _ in range(20):
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(compile(source, f"<cell {number}>", "exec"), space)
            except NameError as error:
                missing.append((number, error.name))
                space[error.name] = Anything()
            except Exception:  # noqa: BLE001 - what a stand-in cannot do ends the cell, not the test
                break
            else:
                break
    return missing


class Anything(int):
    """A stand-in for a value that was never defined."""

    def __call__(self, *_args, **_options):
        return self

    def __getattr__(self, _name):
        return self


@pytest.fixture(scope="module")
def names_of_notebooks(tmp_path_factory):
    """For 400 drawn notebooks: the NameErrors of a real execution, and the findings."""
    folder = tmp_path_factory.mktemp("names")
    drawn = []
    for seed in range(400):
        cells = names_notebook(seed)
        path = write_notebook(folder / f"{seed}.ipynb", *cells)
        found = [each for each in check_notebook(path).findings if each.rule == "NB2"]
        drawn.append((cells, real_name_errors(cells), found))
    return drawn


def test_every_name_error_of_a_real_execution_is_found(names_of_notebooks):
    """Recall 1.0 at the cell where the notebook stops."""
    stopped, missed = 0, []
    for cells, missing, found in names_of_notebooks:
        if missing:
            stopped += 1
            if missing[0] not in [(each.cell, each.name) for each in found]:
                missed.append((cells, missing[0]))
    assert stopped >= 100
    assert missed == []


def test_errors_about_names_are_true(names_of_notebooks):
    """Of more than 100 findings called errors at least 95 % fail in a real execution, in that cell."""
    true, false = 0, []
    for cells, missing, found in names_of_notebooks:
        names = {name for _, name in missing}
        for each in found:
            if each.level == "error" and each.name in names:
                true += 1
            elif each.level == "error":
                false.append((cells, each))
    assert true + len(false) >= 100
    assert true / (true + len(false)) >= 0.95, false[:3]


def test_errors_about_order_are_true_and_complete(tmp_path):
    """200 notebooks executed in a drawn order: an error where, and only where, a count is lower than the one above."""
    labelled = 0
    for seed in range(200):
        draw = random.Random(seed)
        size = draw.randint(2, 12)
        counts = list(range(1, size + 1))
        for _ in range(draw.randint(0, 3)):
            counts.insert(draw.randrange(size), counts.pop(draw.randrange(size)))
        cells = [f"x{place} = {place}" for place in range(size)]
        path = write_notebook(tmp_path / "a.ipynb", *cells, counts=counts)
        expected = [place + 1 for place in range(1, size) if counts[place] < counts[place - 1]]
        labelled += len(expected)
        assert [cell for rule, cell in rules(path, level="error") if rule == "NB1"] == expected
    assert labelled >= 100


def test_colab_counts_of_zero_are_no_order(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "a = 1", "b = a", "c = b", counts=[0, 0, 0])
    assert rules(path) == []


def test_a_hole_in_the_counts_is_a_remark(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "a = 1", "b = a", counts=[1, 5])
    assert rules(path, level="info") == [("NB1", 2)]


def test_a_function_is_judged_where_it_is_called(tmp_path):
    body = "def total():\n    return sum(prices)"
    early = write_notebook(tmp_path / "early.ipynb", body, "total()", "prices = [1]")
    late = write_notebook(tmp_path / "late.ipynb", body, "prices = [1]", "total()")
    finding = check_notebook(early).findings[0]
    assert (finding.rule, finding.level, finding.cell, finding.line) == ("NB2", "error", 2, 1)
    assert "cell 3, line 1" in finding.message
    assert rules(late) == []


def test_what_a_star_import_may_bring_is_no_error(tmp_path):
    path = write_notebook(
        tmp_path / "a.ipynb", "from fastai.vision import *", "learn = cnn_learner()"
    )
    assert ("NB2", 2) in rules(path, level="info")
    assert rules(path, level="error") == []
    (tmp_path / "helper.py").write_text("def clean(x):\n    return x\n", encoding="utf-8")
    known = write_notebook(tmp_path / "b.ipynb", "from helper import *", "clean(1)\nclaen(1)")
    assert [each.name for each in check_notebook(known).findings if each.rule == "NB2"] == ["claen"]


@pytest.mark.parametrize(
    ("cell", "is_hidden"),
    [
        ("df = df.drop(columns=['a'])", True),
        ("df = df.dropna()", False),
        ("total += 1", True),
        ("rows.append(1)", True),
        ("df['a'] = df['a'] * 2", True),
        ("df['a'] = df['b'] * 2", False),
        ("df = df[df.a > 0]", False),
        ("local = 1\nlocal += 1", False),
    ],
)
def test_a_cell_that_changes_its_own_input_is_hidden_state(tmp_path, cell, is_hidden):
    start = "import pandas as pd\ndf = pd.DataFrame({'a': [1], 'b': [2]})\ntotal = 0\nrows = []"
    found = [rule for rule, _ in rules(write_notebook(tmp_path / "a.ipynb", start, cell))]
    assert ("NB3" in found) == is_hidden


def test_a_name_with_two_values_and_a_reader_between_is_hidden_state(tmp_path):
    path = write_notebook(
        tmp_path / "a.ipynb", "size = 1", "print(size)", "size = 2", "print(size)"
    )
    assert rules(path) == [("NB3", 2)]


def test_leakage_is_found_by_data_flow_not_by_the_order_of_the_text(tmp_path):
    start = (
        "from sklearn.preprocessing import StandardScaler\nfrom sklearn.datasets import load_iris\n"
        "from sklearn.model_selection import train_test_split\nX, y = load_iris(return_X_y=True)"
    )
    split = "a, b, c, d = train_test_split(X, y, random_state=0)"
    fitted = "s = StandardScaler()\n"
    cases = {
        "leaks": [start, "X = StandardScaler().fit_transform(X)", split],
        "shown": [start, "shown = StandardScaler().fit_transform(X)", split],
        "by_name": [start, f"{fitted}s.fit(X)\nX = s.transform(X)", split],
        "on_test": [start, split, f"{fitted}s.fit(a)\ns.fit_transform(b)"],
        "careful": [start, split, f"{fitted}a = s.fit_transform(a)\nb = s.transform(b)"],
    }
    found = {}
    for name, cells in cases.items():
        path = write_notebook(tmp_path / f"{name}.ipynb", *cells)
        found[name] = [cell for rule, cell in rules(path) if rule == "NB7"]
    assert found == {"leaks": [2], "shown": [], "by_name": [2], "on_test": [3], "careful": []}


@pytest.mark.parametrize(
    ("source", "is_unseeded"),
    [
        ("from sklearn.ensemble import RandomForestClassifier as R\nR()", True),
        ("from sklearn.ensemble import RandomForestClassifier as R\nR(random_state=0)", False),
        ("import numpy as np\nfrom sklearn.ensemble import RandomForestClassifier as R\nnp.random.seed(0)\nR()", False),
        ("from sklearn.linear_model import LogisticRegression\nLogisticRegression()", False),
        ("from sklearn.linear_model import LogisticRegression\nLogisticRegression(solver='saga')", True),
        ("import numpy as np\nnp.random.rand(3)", True),
        ("import numpy as np\nnp.random.default_rng()", True),
        ("import numpy as np\nnp.random.default_rng(1).random()", False),
        ("import random\nrandom.seed(1)\nrandom.random()", False),
        ("import torch\ntorch.randn(3)", True),
        ("from sklearn.model_selection import KFold\nKFold(5)", False),
        ("from sklearn.model_selection import KFold\nKFold(5, shuffle=True)", True),
    ],
)  # fmt: skip
def test_only_what_draws_needs_a_seed(tmp_path, source, is_unseeded):
    found = [rule for rule, _ in rules(write_notebook(tmp_path / "a.ipynb", source))]
    assert ("NB5" in found) == is_unseeded


def test_paths_and_secrets_are_found_and_secrets_are_not_shown(tmp_path):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "rows = open('/home/ann/rows.csv')\nroute = '/api/v1'",
        "password = 'hunter2-really'\ntoken = ''",
        "# AKIAABCDEFGHIJKLMNOP",
        "api_key = '<your key>'",
    )
    report = check_notebook(path)
    assert rules(path) == [("NB6", 1), ("NB11", 2), ("NB11", 3)]
    assert "hunter2" not in json.dumps(report.to_json())
    assert "AKIAABCD" not in json.dumps(report.to_json())


def test_packages_are_compared_with_the_requirements(tmp_path):
    cells = "import sklearn\nimport numpy\nimport os\nimport cv2", "!pip install polars numpy==2.0"
    path = write_notebook(tmp_path / "a.ipynb", *cells)
    (tmp_path / "requirements.txt").write_text("scikit-learn==1.6\nnumpy>=1\n", encoding="utf-8")
    found = {each.name: each.level for each in check_notebook(path).findings if each.rule == "NB4"}
    assert found == {"numpy": "info", "opencv-python": "warning", "polars": "warning"}


def test_magics_are_classed_and_a_text_with_a_percent_sign_is_none(tmp_path):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "%matplotlib inline\n%time x = 1\ny = x",
        "!wget http://h/x.zip",
        "%%bash\nls",
        "text = '''\n%cd x\n!ls\n'''\nz = (7\n  % 3)",
        "%cd data",
    )
    found = [(each.rule, each.cell, each.level) for each in check_notebook(path).findings]
    assert found == [("NB8", 2, "warning"), ("NB8", 3, "warning"), ("NB8", 5, "info")]


def test_python_2_and_files_that_are_no_notebooks_are_said_to_be(tmp_path):
    old = write_notebook(tmp_path / "old.ipynb", "print 'hello'")
    page = tmp_path / "page.ipynb"
    page.write_text("<!DOCTYPE html><html></html>", encoding="utf-8")
    assert "Python 2" in check_notebook(old).findings[0].message
    assert "web page" in check_notebook(page).findings[0].message


def test_a_finding_is_suppressed_by_a_reason_only(tmp_path):
    start = "import numpy as np"
    reason = "np.random.rand()  # penstock: ignore NB5 a picture only"
    none = "np.random.rand()  # penstock: ignore NB5"
    other = "# penstock: ignore NB5, NB6 for the whole cell\nx = 1\nnp.random.rand()"
    path = write_notebook(tmp_path / "a.ipynb", start, reason, none, other)
    found = [each for each in check_notebook(path).findings if each.rule == "NB5"]
    assert [each.suppressed for each in found] == ["a picture only", None, "for the whole cell"]
    assert "no reason" in found[1].message


def test_a_stored_error_is_found(tmp_path):
    error = {"output_type": "error", "ename": "KeyError", "evalue": "'x'", "traceback": []}
    path = write_notebook(tmp_path / "a.ipynb", "a = 1", outputs={0: [error]})
    assert check_notebook(path).findings[0].message == "The stored output is KeyError: 'x'."


def test_a_percent_script_is_a_notebook(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        "# %% [markdown]\n# # Title\n# %%\nx = 1\n# %%\n# %matplotlib inline\nprint(y)\n"
    )
    assert [(each.rule, each.cell) for each in check_notebook(path).findings] == [("NB2", 3)]


def test_folders_are_searched_without_checkpoints(tmp_path):
    (tmp_path / ".ipynb_checkpoints").mkdir()
    write_notebook(tmp_path / ".ipynb_checkpoints" / "a-checkpoint.ipynb", "x = 1")
    write_notebook(tmp_path / "a.ipynb", "x = 1")
    assert [report.path.name for report in check_notebooks([tmp_path])] == ["a.ipynb"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="no notebook below"):
        check_notebooks([tmp_path / "empty"])
    with pytest.raises(NotFoundError, match="cannot be read"):
        check_notebook(tmp_path / "none.ipynb")


def test_names_that_every_kernel_has_are_known(tmp_path):
    source = "display(In, Out, _, __name__)\nget_ipython()\n" + "\n".join(
        name for name in dir(builtins) if name.isidentifier() and not name.startswith("_")
    ).replace("None\n", "").replace("True\n", "").replace("False\n", "")
    assert rules(write_notebook(tmp_path / "a.ipynb", source)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("%%bash --out text --err problems\necho x", "print(text, problems)"),
        ("%%script --bg --out lines bash -c 'ls --out other'\nx", "lines.readline()"),
        ("%%R -i a -o frame,plot\nx", "frame, plot"),
        ("1 + 1", "_1 == Out[1], _i1"),
        ("import numpy as np", "%%timeit -n 10 a = np.ones(3)\nnp.dot(a, a)"),
        ("pip install polars\nimport polars", "polars"),
        ("ls data\ncd ..\ncat x.txt", "pwd"),
        ("time x = sum([a])\nls -l", "x"),
        ("    x = 1\n    if x:\n        y = 2", "x, y"),
        (">>> x = 1\n>>> for i in range(3):\n...     x += i", "x"),
        ("f = abs\nbest = %timeit -n1 -o f(2)", "best\n?"),
        ("%%cython\ndef quick(): return 1", "pass"),
    ],
)
def test_what_ipython_defines_or_takes_is_no_fault(tmp_path, before, after):
    path = write_notebook(tmp_path / "a.ipynb", "a = 1", before, after)
    faults = [
        each
        for each in check_notebook(path).findings
        if each.rule in {"NB2", "NB10"} and each.level != "info"
    ]
    assert faults == []


@pytest.mark.parametrize(
    "before",
    [
        "%%timeit\nlost = 1",
        "%timeit lost = 1",
        "timeit lost = 1",
        "%%python\nlost = 1",
        "%%bash --out kept\nlost=1",
    ],
)
def test_what_a_cell_magic_keeps_to_itself_is_not_defined(tmp_path, before):
    path = write_notebook(tmp_path / "a.ipynb", before, "print(lost)")
    assert ("NB2", 2) in rules(path, level="error")


def test_a_magic_of_an_extension_may_define_names(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "%octave_pull a", "a")
    assert ("NB2", 2) not in rules(path, level="error")
    assert ("NB2", 2) in rules(path, level="info")


def test_a_name_of_a_cell_in_python_2_is_a_remark_which_names_the_cell(tmp_path):
    old = "X, y = 1, 2\ndef twice(z):\n    print z"
    path = write_notebook(tmp_path / "a.ipynb", old, "twice(X + y + other)")
    found = {each.name: each for each in check_notebook(path).findings if each.rule == "NB2"}
    assert {name: each.level for name, each in found.items()} == {
        "twice": "info", "X": "info", "y": "info", "other": "error",
    }  # fmt: skip
    assert "cell 1" in found["X"].message


def test_the_name_of_a_secret_and_a_word_in_its_place_are_none(tmp_path):
    path = write_notebook(
        tmp_path / "a.ipynb",
        "secret_name = 'prod/db'\ntoken = 'GOOGLE_API_KEY'\npassword = 'EnterYourOwnInfoHere'",
        "client_secret = 'keZdvIa1Ge257NKEm3v'",
    )
    assert rules(path) == [("NB11", 2)]


@pytest.mark.parametrize(
    ("cell", "is_leak"),
    [
        ("m = KNeighborsClassifier()\np = m.fit(a, c).predict(b)\nq = m.fit(b, d).predict(a)", False),
        ("m = KNeighborsClassifier()\nm.fit(b, d)\nm.score(a, c)", False),
        ("m = KNeighborsClassifier()\nm.fit(b, d)\nm.score(b, d)", True),
        ("m = KNeighborsClassifier()\nm.fit(b, d)", True),
    ],
)  # fmt: skip
def test_halves_that_change_places_are_no_leakage(tmp_path, cell, is_leak):
    start = (
        "from sklearn.neighbors import KNeighborsClassifier\nfrom sklearn.datasets import load_iris\n"
        "from sklearn.model_selection import train_test_split\nX, y = load_iris(return_X_y=True)\n"
        "a, b, c, d = train_test_split(X, y, random_state=0)"
    )
    path = write_notebook(tmp_path / "a.ipynb", start, cell)
    assert any(rule == "NB7" for rule, _ in rules(path)) is is_leak


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        # A method that calls another one of its object
        (
            ["class A:\n    def f(self):\n        return self.g()\n    def g(self):\n        return gone", "A().f()"],
            [("error", 2, "gone")],
        ),
        (
            ["class A:\n    def f(self):\n        return self.g()", "class B(A):\n    def g(self):\n        return late", "b = B()\nb.f()", "late = 1"],
            [("error", 3, "late")],
        ),
        (
            ["class A:\n    def __init__(self):\n        self.x = late", "class B(A):\n    def __init__(self):\n        super().__init__()", "B()", "late = 1"],
            [("error", 3, "late")],
        ),
        # Objects of another class, and what is imported or built in
        (
            ["class A:\n    def run(self):\n        return late\nclass B:\n    def run(self):\n        return 1", "b = B()\nb.run()", "late = 1"],
            [],
        ),
        (["class A:\n    def __call__(self):\n        return late", "print(len([]))", "late = 1"], []),
        (["import os\nclass A:\n    def getcwd(self):\n        return late", "os.getcwd()", "late = 1"], []),
        # An object of which nothing is known: perhaps
        (
            ["class A:\n    def run(self):\n        return late", "x = [A()][0]\nx.run()", "late = 1"],
            [("warning", 2, "late")],
        ),
        # A function that is returned is not called yet
        (["def outer():\n    def inner():\n        return late\n    return inner", "f = outer()", "late = 1"], [("warning", 2, "late")]),
        (["def outer():\n    def inner():\n        return late\n    return inner()", "f = outer()", "late = 1"], [("error", 2, "late")]),
        # Several names of a function
        (["a = b = lambda x: x + 1", "a(1) + b(2)"], []),
        (["a = b = lambda x: x + gone", "b(2)"], [("error", 2, "gone")]),
        # What IPython takes for a magic in a cell of a single line
        (["pprint(1)"], []),
        (["pprint(1)\nx = 1"], [("error", 1, "pprint")]),
        # What follows a return, and what IPython does not keep of a cell that ends in a semicolon
        (["def f():\n    return 1\n    return gone", "f()"], []),
        (["%%capture out\nprint(1)", "print(out)"], []),
        (["%%capture out\nprint(1);", "print(out)"], [("error", 2, "out")]),
        # What another file may have defined
        (["%run -i setup.py", "print(late)", "late = 1"], [("warning", 2, "late")]),
    ],
)  # fmt: skip
def test_calls_are_followed_to_the_body_that_is_executed(tmp_path, cells, found):
    findings = check_notebook(write_notebook(tmp_path / "a.ipynb", *cells)).findings
    assert [(f.level, f.cell, f.name) for f in findings if f.rule == "NB2"] == found


def methods(*bodies):
    """A class with methods, each given as name and arguments, that read ``late``."""
    lines = [line for body in bodies for line in (f"    {body}:", "        return late")]
    return "\n".join(["class A:", *lines]).replace("    @property def", "    @property\n    def")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ([methods("@property def p(self)"), "a = A()\na.p"], [("error", 2, "late")]),
        ([methods("@property def p(self)") + "\nclass B(A):\n    def f(self):\n        return self.p", "B().f()"], [("error", 2, "late")]),
        ([methods("@property def p(self)"), "a = A()\nprint(getattr(a, 'p', None))"], [("error", 2, "late")]),
        ([methods("@property def p(self)"), "a = A()\na.q = 1\nprint(A.p)"], []),
        (["class A:\n    p = property(lambda self: late)", "a = A()\na.p"], [("error", 2, "late")]),
        (
            ["class A:\n    @property\n    def p(self):\n        return 1\n    @p.setter\n    def p(self, x):\n        self.x = late", "a = A()\na.p", "a.p = 1"],
            [("error", 3, "late")],
        ),
        ([methods("def __get__(self, owner, kind)") + "\nclass B:\n    x = A()", "b = B()\nb.x"], [("error", 2, "late")]),
        ([methods("def __getattribute__(self, name)"), "a = A()\na.x"], [("error", 2, "late")]),
        ([methods("def __getattr__(self, name)"), "a = A()\na.x"], [("info", 2, "late")]),
        ([methods("def __add__(self, other)"), "a, b = A(), A()\nc = a + b"], [("error", 2, "late")]),
        ([methods("def __add__(self, other)"), "a = A()\na += 1"], [("error", 2, "late")]),
        ([methods("def __radd__(self, other)"), "a = A()\nb = 1 + a"], [("error", 2, "late")]),
        ([methods("def __radd__(self, other)"), "a = A()\nb = a"], []),
        ([methods("def __add__(self, other)"), "a = 1 + 2"], []),
        ([methods("def __lt__(self, other)"), "a = A()\nb = 1 > a"], [("error", 2, "late")]),
        ([methods("def __contains__(self, other)"), "a = A()\nb = 1 in a"], [("error", 2, "late")]),
        ([methods("def __neg__(self)"), "a = A()\nb = -a"], [("error", 2, "late")]),
        ([methods("def __iter__(self)"), "x, y = A()"], [("error", 2, "late")]),
        ([methods("def __iter__(self)"), "x = [y for y in A()]"], [("error", 2, "late")]),
        ([methods("def __enter__(self)", "def __exit__(self, *_)"), "with A():\n    pass"], [("error", 2, "late")]),
        ([methods("def __str__(self)"), "a = A()\nb = f'{a}'"], [("error", 2, "late")]),
        ([methods("def __str__(self)"), "a = A()\nb = f'{a!r}'"], []),
        ([methods("def __len__(self)"), "a = A()\nif a:\n    pass"], [("error", 2, "late")]),
        ([methods("def __bool__(self)", "def __len__(self)"), "len(A())"], [("error", 2, "late")]),
        ([methods("def __setitem__(self, *_)"), "a = A()\nb = a[0] if False else 1", "a[0] = 1"], [("error", 3, "late")]),
        # A display that fails is shown, and the notebook goes on; of another object nothing is known.
        ([methods("def __repr__(self)"), "A()"], [("info", 2, "late")]),
        ([methods("def __add__(self, other)"), "a = [A()][0]\nb = a + 1"], [("info", 2, "late")]),
        ([methods("@property def p(self)"), "a = [A()][0]\na.p"], [("info", 2, "late")]),
        ([methods("@property def p(self)"), "import numpy as np\nnp.p"], []),
    ],
)  # fmt: skip
def test_methods_that_no_text_calls_are_followed(tmp_path, cells, found):
    path = write_notebook(tmp_path / "a.ipynb", *cells, "late = 1")
    findings = check_notebook(path).findings
    assert [(f.level, f.cell, f.name) for f in findings if f.rule == "NB2"] == found
