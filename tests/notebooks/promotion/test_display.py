"""What counts as only shown, and what does not: a dropped statement must have changed nothing."""

import ast

import pytest
from tests.notebooks.corpus import write_notebook

from penstock.notebooks import read_notebook
from penstock.notebooks.promotion._display import is_display
from penstock.notebooks.rules import analyse

HEAD = "import matplotlib.pyplot as plt\nimport seaborn as sns\nimport pandas as pd\n"


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("df", True),
        ("df.head(3)", True),
        ("get_ipython().run_line_magic('matplotlib', 'inline')", True),
        ("print(len(df), df['a'].mean())", True),
        ("plt.plot(df['a'])", True),
        ("sns.heatmap(df.corr(), annot=True)", True),
        ("ax.set_title('x')", True),
        ("axes[0].hist(df['a'])", True),
        ("for c in columns:\n    plt.hist(df[c])\n    plt.show()", True),
        ("print(model.fit(X, y))", False),
        ("print(rows.pop())", False),
        ("model.fit(X, y)", False),
        ("rows.append(1)", False),
        ("figures.append(1)", False),
        ("ax_values.append(1)", False),
        ("fig.savefig('x.png')", False),
        ("plt.savefig('x.png')", False),
        ("df.drop(columns='a', inplace=True)", False),
        ("df.plot(x=rows.pop())", False),
        ("print(x := 3)", False),
        ("for c in columns:\n    total += c", False),
        ("helper()", False),
        ("df.to_csv('x.csv')", False),
    ],
)
def test_only_what_is_known_to_change_nothing_is_dropped(tmp_path, text, is_shown):
    analysis = analyse(read_notebook(write_notebook(tmp_path / "a.ipynb", HEAD + text)))
    found = is_display(ast.parse(text).body[0], analysis)
    assert found == is_shown
