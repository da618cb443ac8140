"""Notebooks as people write them, drawn at random: templates of public machine-learning notebooks with their faults."""

import json
import random

KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
CELLS = [
    "import numpy as np\nimport pandas as pd\n%matplotlib inline\nimport matplotlib.pyplot as plt",
    "import warnings; warnings.filterwarnings('ignore')",
    "from sklearn.model_selection import train_test_split\nfrom sklearn.preprocessing import StandardScaler",
    "from numpy import *\nfrom pylab import *",
    "df = pd.read_csv('../input/train.csv')\ndf.head()",
    "df = pd.read_csv('/content/drive/MyDrive/train.csv', sep=';')",
    "!pip install -q transformers==4.1 seaborn\n!ls -la",
    "!wget https://example.com/data.zip && unzip data.zip",
    "%%time\nmodel.fit(X_train, y_train)",
    "%%bash\nfor i in 1 2 3; do echo $i; done",
    "%%writefile utils.py\ndef f(x): return x",
    "%load_ext autoreload\n%autoreload 2",
    "%cd /content/repo",
    "files = !ls data\nprint(files)",
    "%timeit -n 10 sum(range(10))",
    "df.describe?",
    "??np.mean",
    "X = df.drop('target', axis=1)\ny = df['target']",
    "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)",
    "scaler = StandardScaler()\nX = scaler.fit_transform(X)",
    "model = RandomForestClassifier(n_estimators=100)\nmodel.fit(X_train, y_train)\nprint(model.score(X_test, y_test))",
    "print 'hello %s' % name",
    'print "loss", loss\nfor k, v in d.iteritems():\n    print k, v',
    "def plot(history):\n    plt.plot(history['loss'])\n    plt.show()\n\nplot(h.history)",
    (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.l = nn.Linear(4, 2)\n"
        "    def forward(self, x):\n        return F.relu(self.l(x))\nnet = Net()"
    ),
    "sns.heatmap(df.corr(), annot=True);",
    "df['age'].fillna(df['age'].mean(), inplace=True)",
    "df = df.dropna()\ndf = df[df.fare > 0]",
    "for epoch in range(10):\n    for x, y in loader:\n        loss = criterion(net(x), y)\n        loss.backward()",
    "with open('out.txt', 'w') as f:\n    f.write(str(result))",
    "text = '''\n%not a magic\n!nor this\n'''\nprint(text)",
    "x = (1 +\n     2 %\n     3)",
    "from google.colab import drive\ndrive.mount('/content/drive')",
    "api_key = 'sk-abcdefghijklmnopqrstuvwxyz0123456789'",
    "result = {k: [v for v in vs if v] for k, vs in groups.items()}",
    "match command:\n    case ['go', where]:\n        print(where)\n    case _:\n        pass",
    "async def main():\n    return 1\nawait main()",
    "lambda: (yield)",
    "try:\n    import torch\nexcept ImportError:\n    torch = None",
    "    indented = 1",
    "if True:\n    !ls\n    %time y = 3",
    "df.groupby('a').agg({'b': 'mean'}).reset_index()  # penstock: ignore NB2 shown only",
    "%run helper.ipynb",
    "%sql SELECT * FROM t",
    "a, (b, *c) = 1, (2, 3, 4)\ndel a",
    "global_counter = 0\ndef inc():\n    global global_counter\n    global_counter += 1\ninc()",
    "x: int = 5\nassert (y := x) > 2",
    "",
    "# only a comment",
    "\x00\x0bweird",
    "(" * 150 + ")" * 150,
    "'\\d' + \"\\w\"",
    "return 5",
    "raise SystemExit",
    "é = 'ünïcode'; 变量 = 1",
    "display(HTML('<b>x</b>'))",
    "_ + __ + _1",
    "get_ipython().run_line_magic('matplotlib', 'inline')",
]
MARKDOWN = ["# Title", "## Load the *data*", "", "Some text\n\n$$x^2$$", "<img src='x.png'>"]
NO_NOTEBOOKS = [
    b"", b"   \n", b"<!DOCTYPE html><html><body>404</body></html>", b"{", b"[]", b"null", b"42", b"{}",
    b'{"cells": 5}', b'{"cells": [5, null, {"cell_type": "code"}]}', b'{"cells": {}, "metadata": []}',
    b'{"cells": [{"cell_type": "code", "source": {"a": 1}, "outputs": 7, "metadata": []}]}',
    b'{"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1\\n", "y = x"], "prompt_number": 3}]}]}',
    b'{"worksheets": [5]}', b"\xff\xfe\x00", b"\x89PNG\r\n", b'{"cells": [], "metadata": {"kernelspec": "python"}}',
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", b"[" * 100_000,
]  # fmt: skip


def code_cell(draw: random.Random, source: str, count: int | None, *, as_lines: bool) -> dict:
    lines = source.splitlines(keepends=True) if as_lines else source
    outputs = draw.choice(
        [
            [],
            [],
            [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}],
            [{"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": ["…"]}],
            [
                {
                    "output_type": "execute_result",
                    "data": {"text/plain": "1", "application/json": {}},
                }
            ],
        ]
    )
    return {
        "cell_type": "code",
        "source": lines,
        "execution_count": count,
        "metadata": {},
        "outputs": outputs,
    }


def random_notebook(seed: int) -> bytes:
    """A notebook of format 3 or 4, of Jupyter or Colab, or no notebook at all."""
    draw = random.Random(seed)
    if seed % 10 == 0:
        return NO_NOTEBOOKS[seed // 10 % len(NO_NOTEBOOKS)]
    sources = draw.choices(CELLS, k=draw.randint(0, 25))
    counts: list[int | None] = draw.choice(
        [[None] * 25, [0] * 25, [*range(1, 26)], draw.sample(range(1, 90), 25), [3, 3, 1] * 9]
    )
    cells = [
        code_cell(draw, source, count, as_lines=draw.random() < 0.5)
        for source, count in zip(sources, counts, strict=False)
    ]
    for text in draw.choices(MARKDOWN, k=draw.randint(0, 5)):
        cells.insert(
            draw.randint(0, len(cells)), {"cell_type": "markdown", "source": text, "metadata": {}}
        )
    if draw.random() < 0.2:
        old = [
            {**cell, "input": cell["source"], "prompt_number": cell.get("execution_count"), "language": "python"}
            if cell["cell_type"] == "code" else cell
            for cell in cells
        ]  # fmt: skip
        return json.dumps(
            {"worksheets": [{"cells": old}], "metadata": {"name": "x"}, "nbformat": 3}
        ).encode()
    document = {
        "cells": cells,
        "metadata": draw.choice([KERNEL, {}]),
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return json.dumps(document).encode()


def write_notebook(path, *cells, counts=None, outputs=None, tags=None):
    """Write a notebook of the given code cells; a text that begins with ``#md`` is markdown."""
    found = []
    for place, source in enumerate(cells):
        if source.startswith("#md"):
            text = source.removeprefix("#md").strip()
            found.append(
                {"cell_type": "markdown", "source": text, "metadata": {}, "id": f"c{place}"}
            )
            continue
        cell = {
            "cell_type": "code",
            "id": f"c{place}",
            "source": source,
            "metadata": {"tags": (tags or {}).get(place, [])},
            "execution_count": counts[place] if counts else None,
            "outputs": (outputs or {}).get(place, []),
        }
        found.append(cell)
    document = {"cells": found, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


# Cells that run by themselves once their names are there: what a notebook of names is drawn from.
NAMES = ["alpha", "beta", "gamma", "delta", "omega", "kappa"]


# Methods that no text calls by name; what each returns is drawn.
POT = """\
class Ask:
    def __get__(self, owner, kind):
        return {0}
class Pot:
    asked = Ask()
    other = property(lambda self: {1})
    @property
    def all(self):
        return {2}
    @all.setter
    def all(self, value):
        print({3})
    def __add__(self, other):
        return {4}
    def __radd__(self, other):
        return {5}
    def __iter__(self):
        yield {6}
    def __enter__(self):
        return {7}
    def __exit__(self, *_):
        print({8})
    def __len__(self):
        return abs({9})
    def __getitem__(self, place):
        return {10}
    def __str__(self):
        return str({11})
    def __lt__(self, other):
        return self.other > {12}
    def __contains__(self, other):
        return {13} == other
pot = Pot()"""


def pot_class(draw: random.Random) -> str:
    """A class whose methods are called by operators, attributes and loops; a few read names."""
    returned = [draw.choice([*NAMES, *"123456789"]) for _ in range(14)]
    return POT.format(*returned)


def names_cell(draw: random.Random) -> str:
    a, b, c = draw.sample(NAMES, 3)
    return draw.choice(
        [
            f"{a} = {draw.randint(1, 9)}",
            f"{a} = {draw.randint(1, 9)}\n{b} = {a} + 1",
            f"{a} = {b} + 1",
            f"print({a}, {b})",
            f"def use_{a}():\n    return {a} + 1",
            f"def use_{a}():\n    {b} = 2\n    return {a} + {b}\nprint(use_{a}())",
            f"{c} = use_{a}()",
            f"total = [use_{a}() for _ in range(2)]",
            f"values = [{a} + i for i in range(3)]",
            f"{a} = {b}\ndel {a}",
            f"try:\n    {a}\nexcept NameError:\n    {a} = 0",
            f"class Box:\n    size = {a}\n    def get(self):\n        return {b}\nbox = Box()",
            "print(box.get())",
            pot_class(draw),
            pot_class(draw),
            f"{a} = pot.all",
            "print(pot.all, pot.other, pot.asked)",
            f"{a} = 1 in pot",
            "pot.all = 1",
            f"{a} = pot + 1",
            f"{a} = 1 + pot",
            f"{a} = [each for each in pot]",
            f"print(pot < 3, {a})",
            f"with pot:\n    {a} = 1",
            f"if pot:\n    {a} = 1",
            "print(f'{pot}', len(pot), pot[0])",
            f"if {a} > 3:\n    {b} = 1\nelse:\n    {b} = 2",
            f"if {a} > 30:\n    {b} = 1",
            f"for {a} in range(3):\n    {b} = {a}",
            f"f = lambda x: x + {a}\nprint(f(1))",
            f"print(list(map(lambda x: x + {a}, [1, 2])))",
            f"def set_{a}():\n    global {a}\n    {a} = 5\nset_{a}()",
            f"import math as {a}m\n{b} = {a}m.floor(2.5)",
            f"print({a}m.pi)",
            f"from math import *\n{a} = floor(pi)",
            f"with open(__import__('os').devnull) as {a}f:\n    {b} = len({a}f.read()) + 1",
            f"def outer():\n    def inner():\n        return {a}\n    return inner()\n{b} = outer()",
            f"{a} += 1",
            f"print(f'{{{a}}} and {{{b} + 1}}')",
            f"data = dict({a}={b})\nprint(data['{a}'])",
            f"print({a} if {b} > 100 else {c})",
            f"use = use_{a}\nuse()",
            f"assert ({a} := 4) > 2",
        ]
    )


def names_notebook(seed: int) -> list[str]:
    """Cells that define names and use them, written in order and then partly moved."""
    draw = random.Random(seed)
    cells = [f"{name} = {place + 1}" for place, name in enumerate(NAMES)]
    cells = draw.sample(cells, draw.randint(2, 6)) + [
        names_cell(draw) for _ in range(draw.randint(3, 12))
    ]
    for _ in range(draw.randint(0, 3)):
        cells.insert(draw.randint(0, len(cells)), cells.pop(draw.randint(0, len(cells) - 1)))
    return cells
