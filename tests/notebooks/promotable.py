"""Twenty notebooks of the kinds that are promoted, each with a cell and what another author changes in it."""

HEAD = "import numpy as np\nimport pandas as pd"
PLOTS = "%matplotlib inline\nimport matplotlib.pyplot as plt"
IRIS = (
    "from sklearn.datasets import load_iris\nfrom sklearn.model_selection import train_test_split\n"
    "data = load_iris(as_frame=True)\ndf = data.frame"
)
SPLIT = (
    "X = df.drop(columns='target')\ny = df['target']\n"
    "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)"
)
FRAME = "df = pd.DataFrame({'a': [1, 2, None, 4], 'b': list('xyxz'), 'c': [0.5, 1.5, 2.5, 3.5]})"

# name -> (cells, (text, another text)): the change must make the equivalence test fail
NOTEBOOKS = {
    "classification": (
        [
            HEAD, "#md # Load", IRIS, "df.head()", "#md # Split", SPLIT, "#md # Train",
            "from sklearn.linear_model import LogisticRegression\nC = 0.5\nmodel = LogisticRegression(C=C, max_iter=500)\nmodel.fit(X_train, y_train)",
            "#md # Evaluate", "accuracy = model.score(X_test, y_test)\nprint(f'accuracy {accuracy:.3f}')",
        ],
        ("test_size=0.25", "test_size=0.3"),
    ),
    "regression": (
        [
            HEAD, "from sklearn.linear_model import Ridge\nrng = np.random.default_rng(0)\nX = rng.normal(size=(60, 3))\ny = X @ [1.0, 2.0, 3.0] + rng.normal(size=60)",
            "alpha = 0.1\nmodel = Ridge(alpha=alpha).fit(X, y)", "predicted = model.predict(X)\nrmse = float(np.sqrt(((predicted - y) ** 2).mean()))",
        ],
        ("alpha = 0.1", "alpha = 5.0"),
    ),
    "plots": (
        [
            HEAD, PLOTS, FRAME, "fig, ax = plt.subplots()\nax.plot(df['c'])\nplt.show()", "for column in ['a', 'c']:\n    plt.hist(df[column].dropna())\n    plt.title(column)\n    plt.show()",
            "mean_c = df['c'].mean()", "df.plot(x='a', y='c')",
        ],
        ("mean()", "max()"),
    ),
    "functions": (
        [
            HEAD, FRAME, "LIMIT = 2\ndef clean(frame):\n    \"\"\"Fill and clip.\"\"\"\n    return frame.fillna(0).assign(a=lambda f: f['a'].clip(upper=LIMIT))",
            "#md ## Clean", "cleaned = clean(df)", "#md ## Sum", "total = cleaned['a'].sum()",
        ],
        ("upper=LIMIT", "upper=LIMIT + 1"),
    ),
    "classes": (
        [
            HEAD, "class Scaler:\n    def __init__(self, factor):\n        self.factor = factor\n    def apply(self, values):\n        return values * self.factor",
            "#md # Make", "scaler = Scaler(3)\nvalues = np.arange(5)", "#md # Use", "scaled = scaler.apply(values)", "#md # Judge", "total = int(scaled.sum())",
        ],
        ("Scaler(3)", "Scaler(4)"),
    ),
    "magics": (
        [
            "%load_ext autoreload\n%autoreload 2\nimport numpy as np", "!ls\n%time x = np.arange(10) ** 2", "%%time\ny = x.sum()\nz = y + 1", "np.sum?", "%timeit -n 1 -r 1 x.sum()",
        ],
        ("** 2", "** 3"),
    ),
    "mutated_frame": (
        [
            HEAD, "#md # Load", FRAME, "#md # Change", "df['d'] = df['c'] * 2\ndf.drop(columns='b', inplace=True)", "#md # More", "df.loc[df['a'].isna(), 'a'] = -1\ndf.columns = ['A', 'C', 'D']",
            "#md # Use", "means = df.mean()",
        ],
        ("* 2", "* 3"),
    ),
    "alias": (
        [
            HEAD, "#md # Load", FRAME, "#md # Alias", "other = df", "#md # Change", "other['e'] = 1", "#md # Read", "columns = list(df.columns)",
        ],
        ("other['e'] = 1", "other['f'] = 1"),
    ),
    "global_generator": (
        [
            HEAD, "#md # Seed", "np.random.seed(7)\nfirst = np.random.rand(3)", "#md # Draw", "second = np.random.rand(3)", "#md # Shuffle", "import random\nrandom.seed(1)\norder = list(range(5))\nrandom.shuffle(order)",
            "#md # Again", "third = np.random.rand(2) + random.random()",
        ],
        ("seed(7)", "seed(8)"),
    ),
    "accumulated_list": (
        [
            "rows = []", "#md # One", "for i in range(3):\n    rows.append({'i': i, 'square': i ** 2})", "#md # Two", "rows.append({'i': 9, 'square': 81})\ncount = len(rows)",
        ],
        ("range(3)", "range(4)"),
    ),
    "closure_over_data": (
        [
            HEAD, FRAME, "def lookup(name):\n    return df[df['b'] == name]['c'].sum()", "#md # One", "x = lookup('x')", "#md # Two", "df = df.assign(c=df['c'] + 1)\ny = lookup('x')",
        ],
        ("+ 1)", "+ 2)"),
    ),
    "pipeline_object": (
        [
            HEAD, "#md # Load", IRIS, "#md # Split", SPLIT, "#md # Train",
            "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\nfrom sklearn.svm import SVC\nmodel = make_pipeline(StandardScaler(), SVC(C=1.0, random_state=0))\nmodel.fit(X_train, y_train)",
            "#md # Judge", "from sklearn.metrics import confusion_matrix\nmatrix = confusion_matrix(y_test, model.predict(X_test))\nmatrix",
        ],
        ("C=1.0", "C=0.01"),
    ),
    "forest_with_numpy_seed": (
        [
            "import numpy as np\nfrom sklearn.ensemble import RandomForestRegressor\nnp.random.seed(0)", "#md # Data", "X = np.random.rand(40, 2)\ny = X.sum(axis=1)", "#md # Train", "model = RandomForestRegressor(n_estimators=5).fit(X, y)",
            "#md # Judge", "score = model.score(X, y)",
        ],
        ("rand(40, 2)", "rand(50, 2)"),
    ),
    "open_file": (
        [
            "handle = open('rows.csv')", "#md # Read", "lines = handle.read().splitlines()\nhandle.close()", "#md # Count", "count = len(lines)",
        ],
        ("len(lines)", "len(lines) + 1"),
    ),
    "written_and_read": (
        [
            HEAD, "#md # Write", "frame = pd.read_csv('rows.csv')\nframe.to_csv('out.csv', index=False)", "#md # Read", "again = pd.read_csv('out.csv')\ntotal = again['a'].sum()",
        ],
        ("sum()", "max()"),
    ),
    "generator": (
        ["numbers = (i * i for i in range(6))", "#md # First", "first = next(numbers)\nsecond = next(numbers)", "#md # Rest", "rest = list(numbers)"],
        ("i * i", "i + i"),
    ),
    "texts_and_comments": (
        [
            '#md # Texts\n\nA "quoted" \\ text.', "# a comment\ntext = '''one\n  two\n    three'''  # behind\nquery = f'''select\n  {len(text)}'''", "a = 1; b = 2  # two on a line\nc = (a +\n     b)", "#md # Next", "if c > 2:\n    # inside\n    label = 'big'\nelse:\n    label = 'small'",
        ],
        ("  two", " two"),
    ),
    "parameters": (
        ["size = 5\nshare = 0.5\nname = 'run'", "#md # Use", "n = int(size * share)\ntitle = f'{name}-{n}'", "#md # More", "doubled = [n] * size"],
        ("int(size", "int(1 + size"),
    ),
    "settings": (
        [
            "import warnings\nimport pandas as pd\nwarnings.filterwarnings('ignore')\npd.set_option('display.max_columns', 5)\npd.options.display.width = 70", "from sklearn.preprocessing import OneHotEncoder", "#md # Encode",
            "frame = pd.DataFrame({'k': ['u', 'v', 'u']})\nencoder = OneHotEncoder(sparse_output=False).fit(frame)", "#md # Apply", "encoded = encoder.transform(frame)",
        ],
        ("['u', 'v', 'u']", "['u', 'v', 'v']"),
    ),
    "out_of_order_counts": (
        [HEAD, "#md # A", "x = np.arange(4)", "#md # B", "x = x + 1", "#md # C", "y = x.sum()"],
        ("x + 1", "x + 2"),
    ),
}  # fmt: skip


def counts_of(name: str, cells: list[str]) -> list[int] | None:
    """Execution counts in another order than that of the file."""
    return list(range(len(cells), 0, -1)) if name == "out_of_order_counts" else None
