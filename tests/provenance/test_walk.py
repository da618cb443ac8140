"""Every way in which Python lets a step reach code or values: an edit there moves its key."""

import importlib
import sys

import pytest

pytestmark = pytest.mark.filterwarnings(
    "ignore:registration of accessor", "ignore:overriding existing custom namespace"
)

SETTINGS = "DEBUG = False\nRATE = 1\n\n\ndef rate():\n    return RATE\n"
REGISTRY = """
REGISTRY = {}


def register(name):
    def keep(function):
        REGISTRY[name] = function
        return function

    return keep
"""
# name, files, what is edited: file, before, after
FORMS = [
    ("attribute of an imported module", {"job.py": "import settings\nsettings.DEBUG = True\ndef step():\n    return settings.rate()\n", "settings.py": SETTINGS}, "settings.py", "return RATE", "return RATE + 1"),
    ("value assigned from another module", {"job.py": "import settings\nsettings.RATE = 5\ndef step():\n    return settings.rate()\n", "settings.py": SETTINGS}, "job.py", "= 5", "= 6"),
    ("two submodules, the first", {"job.py": "import lib.a\nimport lib.b\ndef step():\n    return lib.a.f() + lib.b.g()\n", "lib/__init__.py": "", "lib/a.py": "def f():\n    return 1\n", "lib/b.py": "def g():\n    return 2\n"}, "lib/a.py", "1", "3"),
    ("two submodules, the second", {"job.py": "import lib.a\nimport lib.b\ndef step():\n    return lib.a.f() + lib.b.g()\n", "lib/__init__.py": "", "lib/a.py": "def f():\n    return 1\n", "lib/b.py": "def g():\n    return 2\n"}, "lib/b.py", "2", "3"),
    ("import in try", {"job.py": "try:\n    from fast import f\nexcept ImportError:\n    from slow import f\ndef step():\n    return f()\n", "slow.py": "def f():\n    return 1\n"}, "slow.py", "1", "2"),
    ("star in a package", {"job.py": "from lib import f\ndef step():\n    return f()\n", "lib/__init__.py": "from .core import *\n", "lib/core.py": "def f():\n    return 1\n"}, "lib/core.py", "1", "2"),
    ("star of a star", {"job.py": "from x import *\ndef step():\n    return f()\n", "x.py": "from y import *\n", "y.py": "def f():\n    return 1\n"}, "y.py", "1", "2"),
    ("attribute through a star", {"job.py": "import lib\ndef step():\n    return lib.f()\n", "lib/__init__.py": "from .core import *\n", "lib/core.py": "def f():\n    return 1\n"}, "lib/core.py", "1", "2"),
    ("re-export under another name", {"job.py": "from lib import g\ndef step():\n    return g()\n", "lib/__init__.py": "from .core import f as g\n", "lib/core.py": "def f():\n    return 1\n"}, "lib/core.py", "1", "2"),
    ("registry filled by an import", {"job.py": "import linear\nfrom registry import REGISTRY\ndef step(kind='linear'):\n    return REGISTRY[kind]()\n", "registry.py": REGISTRY, "linear.py": "from registry import register\n@register('linear')\ndef linear():\n    return 1\n"}, "linear.py", "return 1", "return 2"),
    ("registry filled in a loop", {"job.py": "TABLE = {}\nfor name, by in [('a', 1), ('b', 2)]:\n    TABLE[name] = lambda x, by=by: x * by\ndef step(kind='a'):\n    return TABLE[kind](1)\n"}, "job.py", "('b', 2)", "('b', 3)"),
    ("__init_subclass__", {"job.py": "class Model:\n    registry = {}\n    def __init_subclass__(cls):\n        Model.registry[cls.__name__] = cls\nclass Linear(Model):\n    def fit(self):\n        return 1\ndef step(kind='Linear'):\n    return Model.registry[kind]().fit()\n"}, "job.py", "return 1", "return 2"),
    ("metaclass", {"job.py": "class Meta(type):\n    made = []\n    def __new__(meta, name, bases, space):\n        cls = super().__new__(meta, name, bases, space)\n        meta.made.append(cls)\n        return cls\nclass Model(metaclass=Meta):\n    pass\nclass Linear(Model):\n    def fit(self):\n        return 1\ndef step():\n    return [c for c in type(Model).made]\n"}, "job.py", "return 1", "return 2"),
    ("__subclasses__", {"job.py": "import plugin\nfrom base import Model\ndef step():\n    return [c().fit() for c in Model.__subclasses__()]\n", "base.py": "class Model:\n    pass\n", "plugin.py": "from base import Model\nclass Linear(Model):\n    def fit(self):\n        return 1\n"}, "plugin.py", "return 1", "return 2"),
    ("singledispatch in another file", {"job.py": "import ints\nfrom base import conv\ndef step():\n    return conv(3)\n", "base.py": "from functools import singledispatch\n@singledispatch\ndef conv(x):\n    return 0\n", "ints.py": "from base import conv\n@conv.register\ndef _(x: int):\n    return x * 2\n"}, "ints.py", "x * 2", "x * 3"),
    ("singledispatchmethod", {"job.py": "from functools import singledispatchmethod\nclass Conv:\n    @singledispatchmethod\n    def conv(self, x):\n        return 0\n    @conv.register\n    def _(self, x: int):\n        return x * 2\ndef step():\n    return Conv().conv(3)\n"}, "job.py", "x * 2", "x * 3"),
    ("getattr of sys.modules", {"job.py": "import sys\ndef make_a():\n    return 1\ndef step(kind='a'):\n    return getattr(sys.modules[__name__], f'make_{kind}')()\n"}, "job.py", "return 1", "return 2"),
    ("sys.modules by a computed name", {"job.py": "import sys\nimport lib_a\ndef step(kind='a'):\n    return sys.modules['lib_' + kind].f()\n", "lib_a.py": "def f():\n    return 1\n"}, "lib_a.py", "return 1", "return 2"),
    ("getattr of a module", {"job.py": "import lib\ndef step(kind='f'):\n    return getattr(lib, kind)()\n", "lib.py": "def f():\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("vars of a module", {"job.py": "import lib\ndef step(kind='f'):\n    return vars(lib)[kind]()\n", "lib.py": "def f():\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("__dict__ of a module", {"job.py": "import lib\ndef step(kind='f'):\n    return lib.__dict__[kind]()\n", "lib.py": "def f():\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("globals", {"job.py": "def make_a():\n    return 1\ndef step(kind='a'):\n    return globals()[f'make_{kind}']()\n"}, "job.py", "return 1", "return 2"),
    ("operator.attrgetter of a module", {"job.py": "import lib\nfrom operator import attrgetter\ndef step(kind='f'):\n    return attrgetter(kind)(lib)()\n", "lib.py": "def f():\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("module __getattr__", {"job.py": "import lib\ndef step():\n    return lib.anything\n", "lib.py": "def __getattr__(name):\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("import_module with a name", {"job.py": "import importlib\ndef step():\n    return importlib.import_module('lib').f()\n", "lib.py": "def f():\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("import inside the function", {"job.py": "def step():\n    import lib\n    return lib.f()\n", "lib.py": "def f():\n    return 1\n"}, "lib.py", "return 1", "return 2"),
    ("import inside, one behind the other", {"job.py": "def step():\n    from lib import f\n    return f()\n", "lib.py": "from deep import g\ndef f():\n    return g()\n", "deep.py": "def g():\n    return 1\n"}, "deep.py", "return 1", "return 2"),
    ("relative import inside", {"job.py": "from pack.steps import step\n", "pack/__init__.py": "", "pack/steps.py": "def step():\n    from .late import f\n    return f()\n", "pack/late.py": "def f():\n    return 1\n"}, "pack/late.py", "return 1", "return 2"),
    ("JSON read at import", {"job.py": "import json\nCONFIG = json.load(open('config.json'))\ndef step():\n    return CONFIG['lr']\n", "config.json": '{"lr": 1}'}, "config.json", "1", "2"),
    ("array read at import", {"job.py": "import numpy as np\nDATA = np.loadtxt('data.txt')\ndef step():\n    return DATA.sum()\n", "data.txt": "1 2 3\n"}, "data.txt", "3", "4"),
    ("table made at import", {"job.py": "import polars as pl\nDATA = pl.read_csv('data.csv')\ndef step():\n    return DATA.height\n", "data.csv": "a\n1\n"}, "data.csv", "1", "2"),
    ("constant made by a call", {"job.py": "def double(x):\n    return 2 * x\nRATE = double(3)\ndef step():\n    return RATE\n"}, "job.py", "2 * x", "4 * x"),
    ("class attribute", {"job.py": "from settings import Config\ndef step():\n    return Config.rate\n", "settings.py": "class Config:\n    rate = 0.1\n"}, "settings.py", "0.1", "0.2"),
    ("class attribute set from elsewhere", {"job.py": "from settings import Config\nConfig.rate = 0.3\ndef step():\n    return Config.rate\n", "settings.py": "class Config:\n    rate = 0.1\n"}, "job.py", "0.3", "0.4"),
    ("attribute of an instance", {"job.py": "class Config:\n    def __init__(self, rate):\n        self.rate = rate\nCONFIG = Config(1)\ndef step():\n    return CONFIG.rate\n"}, "job.py", "Config(1)", "Config(2)"),
    ("slots of an instance", {"job.py": "class Config:\n    __slots__ = ('rate',)\n    def __init__(self, rate):\n        self.rate = rate\nCONFIG = Config(1)\ndef step():\n    return CONFIG.rate\n"}, "job.py", "Config(1)", "Config(2)"),
    ("state that pickling leaves out", {"job.py": "class Config:\n    def __init__(self, rate):\n        self.rate = rate\n    def __getstate__(self):\n        return {}\nCONFIG = Config(1)\ndef step():\n    return CONFIG.rate\n"}, "job.py", "Config(1)", "Config(2)"),
    ("dict subclass", {"job.py": "class Config(dict):\n    pass\nCONFIG = Config(rate=1)\ndef step():\n    return CONFIG['rate']\n"}, "job.py", "rate=1", "rate=2"),
    ("dataclass default", {"job.py": "from dataclasses import dataclass\n@dataclass\nclass Plan:\n    depth: int = 3\ndef step():\n    return Plan()\n"}, "job.py", "= 3", "= 4"),
    ("dataclass factory", {"job.py": "from dataclasses import dataclass, field\n@dataclass\nclass Plan:\n    depth: list = field(default_factory=lambda: [1])\ndef step():\n    return Plan()\n"}, "job.py", "[1]", "[2]"),
    ("make_dataclass", {"job.py": "from dataclasses import make_dataclass\nPlan = make_dataclass('Plan', [('depth', int, 3)])\ndef step():\n    return Plan()\n"}, "job.py", "3", "4"),
    ("property of a base", {"job.py": "class Base:\n    @property\n    def leaves(self):\n        return 2\nclass Plan(Base):\n    pass\nPLAN = Plan()\ndef step():\n    return PLAN.leaves\n"}, "job.py", "return 2", "return 3"),
    ("cached_property", {"job.py": "from functools import cached_property\nclass Plan:\n    @cached_property\n    def leaves(self):\n        return 2\nPLAN = Plan()\ndef step():\n    return PLAN.leaves\n"}, "job.py", "return 2", "return 3"),
    ("descriptor", {"job.py": "class Twice:\n    def __get__(self, obj, cls):\n        return 2\nclass Plan:\n    leaves = Twice()\ndef step():\n    return Plan().leaves\n"}, "job.py", "return 2", "return 3"),
    ("class method", {"job.py": "class Plan:\n    @classmethod\n    def leaves(cls):\n        return 2\ndef step():\n    return Plan.leaves()\n"}, "job.py", "return 2", "return 3"),
    ("__getattr__ of a class", {"job.py": "class Plan:\n    def __getattr__(self, name):\n        return 2\ndef step():\n    return Plan().leaves\n"}, "job.py", "return 2", "return 3"),
    ("Enum value", {"job.py": "from enum import Enum\nclass Size(Enum):\n    SMALL = 1\n    LARGE = 2\ndef step():\n    return Size.SMALL.value\n"}, "job.py", "SMALL = 1", "SMALL = 3"),
    ("Enum member as a constant", {"job.py": "from enum import Enum\nclass Size(Enum):\n    SMALL = 1\nSIZE = Size.SMALL\ndef step():\n    return SIZE.value\n"}, "job.py", "SMALL = 1", "SMALL = 3"),
    ("Flag", {"job.py": "from enum import Flag\nclass Size(Flag):\n    A = 1\n    B = 2\nSIZE = Size.A | Size.B\ndef step():\n    return SIZE.value\n"}, "job.py", "Size.A | Size.B", "Size.B"),
    ("Enum method", {"job.py": "from enum import Enum\nclass Size(Enum):\n    SMALL = 1\n    def twice(self):\n        return 2\ndef step():\n    return Size.SMALL.twice()\n"}, "job.py", "return 2", "return 3"),
    ("NamedTuple default", {"job.py": "from typing import NamedTuple\nclass Plan(NamedTuple):\n    depth: int = 3\ndef step():\n    return Plan()\n"}, "job.py", "= 3", "= 4"),
    ("partial", {"job.py": "from functools import partial\ndef power(x, n):\n    return x ** n\nsquare = partial(power, n=2)\ndef step():\n    return square(3)\n"}, "job.py", "n=2", "n=3"),
    ("code behind a partial", {"job.py": "from functools import partial\ndef power(x, n):\n    return x ** n\nsquare = partial(power, n=2)\ndef step():\n    return square(3)\n"}, "job.py", "x ** n", "x * n"),
    ("partialmethod", {"job.py": "from functools import partialmethod\nclass Plan:\n    def power(self, n):\n        return n\n    square = partialmethod(power, 2)\ndef step():\n    return Plan().square()\n"}, "job.py", "power, 2", "power, 3"),
    ("lru_cache", {"job.py": "from functools import lru_cache\n@lru_cache\ndef f():\n    return 1\ndef step():\n    return f()\n"}, "job.py", "return 1", "return 2"),
    ("contextmanager", {"job.py": "from contextlib import contextmanager\n@contextmanager\ndef scale():\n    yield 1\ndef step():\n    with scale() as x:\n        return x\n"}, "job.py", "yield 1", "yield 2"),
    ("wraps, the wrapper", {"job.py": "import functools\ndef timed(f):\n    @functools.wraps(f)\n    def inner():\n        return f() * 2\n    return inner\n@timed\ndef step():\n    return 1\n"}, "job.py", "* 2", "* 3"),
    ("wraps, the wrapped", {"job.py": "import functools\ndef timed(f):\n    @functools.wraps(f)\n    def inner():\n        return f() * 2\n    return inner\n@timed\ndef step():\n    return 1\n"}, "job.py", "return 1", "return 2"),
    ("wraps, the closure", {"job.py": "import functools\ndef times(by):\n    def deco(f):\n        @functools.wraps(f)\n        def inner():\n            return f() * by\n        return inner\n    return deco\n@times(2)\ndef step():\n    return 1\n"}, "job.py", "times(2)", "times(3)"),
    ("decorator without wraps", {"job.py": "def times(by):\n    def deco(f):\n        def inner():\n            return f() * by\n        return inner\n    return deco\n@times(2)\ndef step():\n    return 1\n"}, "job.py", "times(2)", "times(3)"),
    ("class as a decorator", {"job.py": "class times:\n    def __init__(self, f):\n        self.f = f\n    def __call__(self):\n        return self.f() * 2\n@times\ndef helper():\n    return 1\ndef step():\n    return helper()\n"}, "job.py", "* 2", "* 3"),
    ("attribute of a function", {"job.py": "def f():\n    return f.rate\nf.rate = 1\ndef step():\n    return f()\n"}, "job.py", "f.rate = 1", "f.rate = 2"),
    ("default of a helper", {"job.py": "def f(rate=1):\n    return rate\ndef step():\n    return f()\n"}, "job.py", "rate=1", "rate=2"),
    ("keyword default of a helper", {"job.py": "def f(*, rate=1):\n    return rate\ndef step():\n    return f()\n"}, "job.py", "rate=1", "rate=2"),
    ("bound method", {"job.py": "class Scale:\n    def __init__(self, by):\n        self.by = by\n    def apply(self, x):\n        return x * self.by\napply = Scale(2).apply\ndef step():\n    return apply(1)\n"}, "job.py", "Scale(2)", "Scale(3)"),
    ("callable object in a dict", {"job.py": "class Scale:\n    def __call__(self, x):\n        return x * 2\nTABLE = {'a': Scale()}\ndef step(kind='a'):\n    return TABLE[kind](1)\n"}, "job.py", "x * 2", "x * 3"),
    ("two lambdas of one line swapped", {"job.py": "TABLE = {'a': lambda v: sum(v), 'b': lambda v: len(v)}\ndef step(kind='a'):\n    return TABLE[kind]([1])\n"}, "job.py", "{'a': lambda v: sum(v), 'b': lambda v: len(v)}", "{'b': lambda v: sum(v), 'a': lambda v: len(v)}"),
    ("names swapped in a table", {"job.py": "def f():\n    return 1\ndef g():\n    return 2\nTABLE = {'a': f, 'b': g}\ndef step(kind='a'):\n    return TABLE[kind]()\n"}, "job.py", "'a': f, 'b': g", "'a': g, 'b': f"),
    ("patched module of the user's", {"job.py": "import helper\nimport patches\ndef step():\n    return helper.f()\n", "helper.py": "def f():\n    return 1\n", "patches.py": "import helper\nhelper.f = lambda: 2\n"}, "patches.py", "2", "3"),
    ("patched function of a package", {"job.py": "import numpy as np\nimport patches\ndef step():\n    return np.my_sum([1])\n", "patches.py": "import numpy\nnumpy.my_sum = lambda x: 2\n"}, "patches.py", "2", "3"),
    ("constant set in a package", {"job.py": "import numpy as np\nnp.MY_RATE = 2\ndef step():\n    return np.MY_RATE\n"}, "job.py", "= 2", "= 3"),
    ("setting of a package", {"job.py": "import numpy as np\nnp.seterr(over='ignore')\ndef step():\n    return np.exp(1000)\n"}, "job.py", "'ignore'", "'warn'"),
    ("setting of a package by a function", {"job.py": "import numpy as np\nimport setup\ndef step():\n    return np.exp(1000)\n", "setup.py": "import numpy as np\ndef prepare():\n    np.seterr(over='ignore')\nprepare()\n"}, "setup.py", "'ignore'", "'warn'"),
    ("result of a setting that is kept", {"job.py": "import numpy as np\nbefore = np.seterr(over='ignore')\ndef step():\n    return np.exp(1000)\n"}, "job.py", "'ignore'", "'warn'"),
    ("accessor of pandas", {"job.py": "import pandas as pd\nimport accessor\ndef step():\n    return pd.DataFrame({'a': [1]}).mine_for_test.f()\n", "accessor.py": "import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('mine_for_test')\nclass Mine:\n    def __init__(self, frame):\n        pass\n    def f(self):\n        return 1\n"}, "accessor.py", "return 1", "return 2"),
    ("query that reads a constant", {"job.py": "import pandas as pd\nLIMIT = 1\ndef step():\n    return pd.DataFrame({'x': [1, 2]}).query('x > @LIMIT')\n"}, "job.py", "LIMIT = 1", "LIMIT = 0"),
    ("query with a constant's text", {"job.py": "import pandas as pd\nLIMIT = 1\nQUERY = 'x > @LIMIT'\ndef step():\n    return pd.DataFrame({'x': [1, 2]}).query(QUERY)\n"}, "job.py", "LIMIT = 1", "LIMIT = 0"),
    ("query that reads a local", {"job.py": "import pandas as pd\ndef step():\n    low, high = 0, 1\n    return pd.DataFrame({'x': [1, 2]}).query('x > @low')\n"}, "job.py", "low, high =", "high, low ="),
    ("SQL that reads a table", {"job.py": "import polars as pl\ndf = pl.DataFrame({'x': [1, 2]})\ndef step():\n    return pl.sql('select * from df', eager=True)\n"}, "job.py", "[1, 2]", "[1, 3]"),
    ("printed text", {"job.py": "def step():\n    print('one')\n"}, "job.py", "'one'", "'two'"),
    ("docstring that is read", {"job.py": "def helper():\n    '''One.'''\ndef step():\n    return helper.__doc__\n"}, "job.py", "One.", "Two."),
    ("docstring of the module", {"job.py": "'''One.'''\ndef step():\n    return __doc__\n"}, "job.py", "One.", "Two."),
    ("source that is read", {"job.py": "import inspect\ndef helper():\n    pass  # one\ndef step():\n    return inspect.getsource(helper)\n"}, "job.py", "# one", "# two"),
    ("line number that is read", {"job.py": "import sys\ndef step():\n    return sys._getframe().f_lineno\n"}, "job.py", "import sys\n", "import sys\n\n"),
    ("annotation that is read", {"job.py": "class Plan:\n    pass\ndef helper(x: int):\n    return x\ndef step():\n    return helper.__annotations__\n"}, "job.py", "x: int", "x: float"),
    ("weak reference", {"job.py": "import weakref\nclass Plan:\n    rate = 1\nPLAN = Plan()\nREF = weakref.ref(PLAN)\ndef step():\n    return REF().rate\n"}, "job.py", "rate = 1", "rate = 2"),
    ("context variable", {"job.py": "from contextvars import ContextVar\nRATE = ContextVar('rate')\nRATE.set(1)\ndef step():\n    return RATE.get()\n"}, "job.py", "set(1)", "set(2)"),
    ("set of functions", {"job.py": "def f():\n    return 1\ndef g():\n    return 2\nALL = {f, g}\ndef step():\n    return sum(h() for h in ALL)\n"}, "job.py", "return 2", "return 3"),
    ("pattern", {"job.py": "import re\nWORD = re.compile('[a-z]+')\ndef step():\n    return WORD.findall('a')\n"}, "job.py", "[a-z]+", "[a-z]*"),
    ("flags of a pattern", {"job.py": "import re\nWORD = re.compile('[a-z]+')\ndef step():\n    return WORD.findall('a')\n"}, "job.py", "'[a-z]+'", "'[a-z]+', re.I"),
    ("order of a dict", {"job.py": "TABLE = {'a': 1, 'b': 2}\ndef step():\n    return list(TABLE)\n"}, "job.py", "'a': 1, 'b': 2", "'b': 2, 'a': 1"),
    ("kind of a constant", {"job.py": "TABLE = {'a': 1}\ndef step():\n    return TABLE\n"}, "job.py", "1", "True"),
    ("sign of zero", {"job.py": "def step():\n    return [0.0]\n"}, "job.py", "0.0", "-0.0"),
    ("number in a frozen set", {"job.py": "def step(x=1):\n    return x in {1, 2, 3}\n"}, "job.py", "3}", "3.5}"),
    ("transformer that holds a function", {"job.py": "from sklearn.preprocessing import FunctionTransformer\ndef clean(x):\n    return x * 2\nCLEAN = FunctionTransformer(clean)\ndef step():\n    return CLEAN\n"}, "job.py", "x * 2", "x * 3"),
    ("pipeline that holds a transformer", {"job.py": "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\nMODEL = make_pipeline(FunctionTransformer(lambda x: x * 2))\ndef step():\n    return MODEL\n"}, "job.py", "x * 2", "x * 3"),
    ("numpy.vectorize", {"job.py": "import numpy as np\ndef f(x):\n    return x * 2\nF = np.vectorize(f)\ndef step():\n    return F([1])\n"}, "job.py", "x * 2", "x * 3"),
    ("file that a constant names", {"job.py": "from pathlib import Path\nDATA = Path(__file__).with_name('data.txt')\ndef step():\n    return DATA.read_text()\n", "data.txt": "one"}, "data.txt", "one", "two"),
    ("folder that a constant names", {"job.py": "from pathlib import Path\nDATA = Path('data')\ndef step():\n    return list(DATA.iterdir())\n", "data/deep/x.txt": "one"}, "data/deep/x.txt", "one", "two"),
    ("path inside an object", {"job.py": "from dataclasses import dataclass\nfrom pathlib import Path\n@dataclass\nclass Plan:\n    data: Path\nPLAN = Plan(Path('data.txt'))\ndef step():\n    return PLAN.data.read_text()\n", "data.txt": "one"}, "data.txt", "one", "two"),
    ("another step", {"job.py": "import penstock as ps\n@ps.step\ndef other():\n    return 1\ndef step():\n    return other()\n"}, "job.py", "return 1", "return 2"),
    ("conditional definition", {"job.py": "import sys\nif sys.platform:\n    def f():\n        return 1\nelse:\n    def f():\n        return 0\ndef step():\n    return f()\n"}, "job.py", "return 1", "return 2"),
    ("name that is assigned twice", {"job.py": "def f():\n    return 1\nf = (lambda g: lambda: g() + 1)(f)\ndef step():\n    return f()\n"}, "job.py", "+ 1", "+ 2"),
    ("exec at the top level", {"job.py": "exec('def f(): return 1')\ndef step():\n    return f()\n"}, "job.py", "return 1", "return 2"),
    ("namespace package of the user's", {"job.py": "import space.a\ndef step():\n    return space.a.f()\n", "space/a.py": "def f():\n    return 1\n"}, "space/a.py", "1", "2"),
    ("lambda default", {"job.py": "f = lambda x, k=1: x*k\ndef step():\n    return f(2)\n"}, "job.py", "k=1", "k=2"),
    ("nested def default from global", {"job.py": "K=1\ndef step():\n    def g(x=K):\n        return x\n    return g()\n"}, "job.py", "K=1", "K=2"),
    ("class body in function", {"job.py": "K=1\ndef step():\n    class A:\n        x = K\n    return A.x\n"}, "job.py", "K=1", "K=2"),
    ("listcomp global", {"job.py": "K=1\ndef step():\n    return [K for _ in range(2)]\n"}, "job.py", "K=1", "K=2"),
    ("genexpr helper", {"job.py": "def h(x): return x+1\ndef step():\n    return sum(h(i) for i in [1])\n"}, "job.py", "x+1", "x+2"),
    ("decorator registry w/ class", {"job.py": "import plug\nfrom reg import R\ndef step(): return R.get('a')()\n", "reg.py": "class Reg:\n    def __init__(self): self.d={}\n    def __call__(self,n):\n        def k(f): self.d[n]=f; return f\n        return k\n    def get(self,n): return self.d[n]\nR=Reg()\n", "plug.py": "from reg import R\n@R('a')\ndef a(): return 1\n"}, "plug.py", "return 1", "return 2"),
    ("plugins by pkgutil at import", {"job.py": "import plugins\nfrom plugins.base import TABLE\ndef step(): return TABLE['x']()\n", "plugins/__init__.py": "import pkgutil, importlib\nfor m in pkgutil.iter_modules(__path__):\n    importlib.import_module(f'{__name__}.{m.name}')\n", "plugins/base.py": "TABLE={}\n", "plugins/x.py": "from .base import TABLE\ndef x(): return 1\nTABLE['x']=x\n"}, "plugins/x.py", "return 1", "return 2"),
    ("plugins by pkgutil and a written beginning", {"job.py": "import plugins\nfrom plugins.base import TABLE\ndef step(): return TABLE['x']()\n", "plugins/__init__.py": "import pkgutil, importlib\nfor m in pkgutil.iter_modules(__path__):\n    importlib.import_module('plugins.' + m.name)\n", "plugins/base.py": "TABLE={}\n", "plugins/x.py": "from .base import TABLE\ndef x(): return 1\nTABLE['x']=x\n"}, "plugins/x.py", "return 1", "return 2"),
    ("plugins that patch numpy by pkgutil", {"job.py": "import plugins, numpy as np\ndef step(): return np.exp(1000)\n", "plugins/__init__.py": "import pkgutil, importlib\nfor m in pkgutil.iter_modules(__path__):\n    importlib.import_module(f'{__name__}.{m.name}')\n", "plugins/x.py": "import numpy as np\nnp.seterr(over='ignore')\n"}, "plugins/x.py", "'ignore'", "'warn'"),
    ("string annotations class", {"job.py": "from __future__ import annotations\nclass A:\n    x=1\ndef step(a: A): return a.x\n"}, "job.py", "x=1", "x=2"),
    ("abstract base", {"job.py": "from abc import ABC, abstractmethod\nclass B(ABC):\n    @abstractmethod\n    def f(self): ...\n    def g(self): return self.f()+1\nclass C(B):\n    def f(self): return 1\ndef step(): return C().g()\n"}, "job.py", "+1", "+2"),
    ("mixin other file", {"job.py": "from mix import M\nclass C(M): pass\ndef step(): return C().g()\n", "mix.py": "class M:\n    def g(self): return 1\n"}, "mix.py", "return 1", "return 2"),
    ("generic class", {"job.py": "from typing import Generic, TypeVar\nT=TypeVar('T')\nclass C(Generic[T]):\n    def g(self): return 1\ndef step(): return C[int]().g()\n"}, "job.py", "return 1", "return 2"),
    ("operator overloading", {"job.py": "class V:\n    def __add__(self,o): return 1\nv=V()\ndef step(): return v+v\n"}, "job.py", "return 1", "return 2"),
    ("iter protocol", {"job.py": "class V:\n    def __iter__(self): yield 1\nv=V()\ndef step(): return list(v)\n"}, "job.py", "yield 1", "yield 2"),
    ("context var default", {"job.py": "from contextvars import ContextVar\nV=ContextVar('v',default=1)\ndef step(): return V.get()\n"}, "job.py", "default=1", "default=2"),
    ("defaultdict factory", {"job.py": "from collections import defaultdict\nd=defaultdict(lambda: 1)\ndef step(): return d['x']\n"}, "job.py", "lambda: 1", "lambda: 2"),
    ("ChainMap", {"job.py": "from collections import ChainMap\nd=ChainMap({'a':1},{'b':2})\ndef step(): return d['b']\n"}, "job.py", "'b':2", "'b':3"),
    ("UserDict", {"job.py": "from collections import UserDict\nd=UserDict(a=1)\ndef step(): return d['a']\n"}, "job.py", "a=1", "a=2"),
    ("mappingproxy", {"job.py": "from types import MappingProxyType\nd=MappingProxyType({'a':1})\ndef step(): return d['a']\n"}, "job.py", "'a':1", "'a':2"),
    ("deque", {"job.py": "from collections import deque\nd=deque([1,2],maxlen=5)\ndef step(): return d.maxlen\n"}, "job.py", "maxlen=5", "maxlen=6"),
    ("array", {"job.py": "from array import array\nd=array('i',[1,2])\ndef step(): return d[0]\n"}, "job.py", "[1,2]", "[3,2]"),
    ("bytearray", {"job.py": "d=bytearray(b'a')\ndef step(): return d[0]\n"}, "job.py", "b'a'", "b'b'"),
    ("range", {"job.py": "d=range(3)\ndef step(): return list(d)\n"}, "job.py", "range(3)", "range(4)"),
    ("slice", {"job.py": "d=slice(3)\ndef step(): return [1,2,3,4][d]\n"}, "job.py", "slice(3)", "slice(2)"),
    ("datetime fold", {"job.py": "from datetime import datetime\nd=datetime(2024,10,27,2,30,fold=0)\ndef step(): return d\n"}, "job.py", "fold=0", "fold=1"),
    ("timedelta", {"job.py": "from datetime import timedelta\nd=timedelta(1)\ndef step(): return d\n"}, "job.py", "(1)", "(2)"),
    ("decimal", {"job.py": "from decimal import Decimal\nd=Decimal('1.0')\ndef step(): return str(d)\n"}, "job.py", "'1.0'", "'1.00'"),
    ("fraction", {"job.py": "from fractions import Fraction\nd=Fraction(1,2)\ndef step(): return d\n"}, "job.py", "(1,2)", "(1,3)"),
    ("itertools chain", {"job.py": "import operator\nd=operator.itemgetter('a')\ndef step(): return d({'a':1,'b':2})\n"}, "job.py", "('a')", "('b')"),
    ("methodcaller", {"job.py": "import operator\nd=operator.methodcaller('upper')\ndef step(): return d('a')\n"}, "job.py", "upper", "lower"),
    ("np dtype", {"job.py": "import numpy as np\nd=np.dtype('int32')\ndef step(): return np.zeros(1,d)\n"}, "job.py", "int32", "int64"),
    ("np scalar kind", {"job.py": "import numpy as np\nd=np.float32(1)\ndef step(): return d\n"}, "job.py", "float32", "float64"),
    ("np object array of funcs", {"job.py": "import numpy as np\nd=np.array([lambda: 1],dtype=object)\ndef step(): return d[0]()\n"}, "job.py", "lambda: 1", "lambda: 2"),
    ("np poly", {"job.py": "import numpy as np\nd=np.poly1d([1,2])\ndef step(): return d(2)\n"}, "job.py", "[1,2]", "[1,3]"),
    ("pd Timestamp", {"job.py": "import pandas as pd\nd=pd.Timestamp('2024-01-01')\ndef step(): return d\n"}, "job.py", "01-01", "01-02"),
    ("pd offset", {"job.py": "import pandas as pd\nd=pd.offsets.BDay(1)\ndef step(): return pd.Timestamp('2024-01-01')+d\n"}, "job.py", "BDay(1)", "BDay(2)"),
    ("pl expr", {"job.py": "import polars as pl\nd=pl.col('a')+1\ndef step(): return pl.DataFrame({'a':[1]}).select(d)\n"}, "job.py", "+1", "+2"),
    ("pl schema", {"job.py": "import polars as pl\nd={'a':pl.Int32}\ndef step(): return pl.DataFrame({'a':[1]},schema=d)\n"}, "job.py", "Int32", "Int64"),
    ("sklearn params", {"job.py": "from sklearn.linear_model import Ridge\nd=Ridge(alpha=1.0)\ndef step(): return d.alpha\n"}, "job.py", "1.0", "2.0"),
    ("sklearn scorer", {"job.py": "from sklearn.metrics import make_scorer\ndef loss(a,b): return 1\nd=make_scorer(loss)\ndef step(): return d\n"}, "job.py", "return 1", "return 2"),
    ("sklearn column transformer", {"job.py": "from sklearn.compose import ColumnTransformer\nfrom sklearn.preprocessing import FunctionTransformer\ndef f(x): return x\nd=ColumnTransformer([('a',FunctionTransformer(f),[0])])\ndef step(): return d\n"}, "job.py", "return x", "return x+1"),
    ("own estimator", {"job.py": "from sklearn.base import BaseEstimator\nclass E(BaseEstimator):\n    def __init__(self,k=1): self.k=k\n    def fit(self,X,y=None): return 1\nd=E(k=2)\ndef step(): return d.fit(1)\n"}, "job.py", "return 1", "return 2"),
    ("typed dict", {"job.py": "from typing import TypedDict\nclass C(TypedDict):\n    x: int\ndef step(): return C.__annotations__\n"}, "job.py", "x: int", "x: float"),
    ("strenum", {"job.py": "from enum import StrEnum, auto\nclass C(StrEnum):\n    A = auto()\n    B = 'x'\ndef step(): return C.B.value\n"}, "job.py", "'x'", "'y'"),
    ("enum alias", {"job.py": "from enum import Enum\nclass C(Enum):\n    A = 1\n    B = 2\n    D = 1\ndef step(): return C['D'].name\n"}, "job.py", "D = 1", "D = 2"),
    ("enum functional", {"job.py": "from enum import Enum\nC=Enum('C','A B')\ndef step(): return [c.name for c in C]\n"}, "job.py", "'A B'", "'A D'"),
    ("enum attr via init", {"job.py": "from enum import Enum\nclass C(Enum):\n    A = (1,2)\n    def __init__(self,a,b): self.s=a+b\ndef step(): return C.A.s\n"}, "job.py", "a+b", "a-b"),
    ("closure over mutable", {"job.py": "def make():\n    d={'k':1}\n    def g(): return d['k']\n    return g\ng=make()\ndef step(): return g()\n"}, "job.py", "'k':1", "'k':2"),
    ("closure class", {"job.py": "def make(k):\n    class A:\n        def f(self): return k\n    return A\nA=make(1)\ndef step(): return A().f()\n"}, "job.py", "make(1)", "make(2)"),
    ("super chain", {"job.py": "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self): return super().f()\ndef step(): return B().f()\n"}, "job.py", "return 1", "return 2"),
    ("module alias attr", {"job.py": "import lib\nl=lib\ndef step(): return l.f()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("module in dict", {"job.py": "import lib\nD={'a':lib}\ndef step(): return D['a'].f()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("module passed", {"job.py": "import lib\ndef g(m): return m.f()\ndef step(): return g(lib)\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("module as attr of class", {"job.py": "import lib\nclass A:\n    m=lib\ndef step(): return A.m.f()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("module as default", {"job.py": "import lib\ndef step(m=lib): return m.f()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("module via closure", {"job.py": "def make():\n    import lib\n    def g(): return lib.f()\n    return g\nstep=make()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("importlib at toplevel", {"job.py": "import importlib\nlib=importlib.import_module('lib')\ndef step(): return lib.f()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("spec at toplevel", {"job.py": "import importlib.util\ns=importlib.util.spec_from_file_location('dyn',__file__.replace('job','dyn'))\nm=importlib.util.module_from_spec(s); s.loader.exec_module(m)\ndef step(): return m.f()\n", "dyn.py": "def f(): return 1\n"}, "dyn.py", "return 1", "return 2"),
    ("runpy at toplevel", {"job.py": "import runpy\nns=runpy.run_path(__file__.replace('job','dyn'))\ndef step(): return ns['f']()\n", "dyn.py": "def f(): return 1\n"}, "dyn.py", "return 1", "return 2"),
    ("exec with file text at toplevel", {"job.py": "exec(open(__file__.replace('job','dyn')).read())\ndef step(): return f()\n", "dyn.py": "def f(): return 1\n"}, "dyn.py", "return 1", "return 2"),
    ("from pkg import submodule", {"job.py": "from pkg import sub\ndef step(): return sub.f()\n", "pkg/__init__.py": "", "pkg/sub.py": "def f(): return 1\n"}, "pkg/sub.py", "return 1", "return 2"),
    ("import pkg.sub as s", {"job.py": "import pkg.sub as s\ndef step(): return s.f()\n", "pkg/__init__.py": "", "pkg/sub.py": "def f(): return 1\n"}, "pkg/sub.py", "return 1", "return 2"),
    ("monkey class method own", {"job.py": "import patches\nfrom lib import A\ndef step(): return A().f()\n", "lib.py": "class A:\n    def f(self): return 0\n", "patches.py": "import lib\ndef f(self): return 1\nlib.A.f=f\n"}, "patches.py", "return 1", "return 2"),
    ("monkey installed class", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "patches.py": "import pandas as pd\ndef f(self): return 1\npd.DataFrame.zz=f\n"}, "patches.py", "return 1", "return 2"),
    ("monkey installed setattr", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "patches.py": "import pandas as pd\ndef f(self): return 1\nsetattr(pd.DataFrame,'zz',f)\n"}, "patches.py", "return 1", "return 2"),
    ("monkey in function called at import", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "patches.py": "import pandas as pd\ndef f(self): return 1\ndef apply(): pd.DataFrame.zz=f\napply()\n"}, "patches.py", "return 1", "return 2"),
    ("monkey loop", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "patches.py": "import pandas as pd\ndef f(self): return 1\nfor n in ['zz']: setattr(pd.DataFrame,n,f)\n"}, "patches.py", "return 1", "return 2"),
    ("monkey decorator own", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "patches.py": "import pandas as pd\ndef ext(f):\n    setattr(pd.DataFrame,f.__name__,f)\n    return f\n@ext\ndef zz(self): return 1\n"}, "patches.py", "return 1", "return 2"),
    ("monkey decorator own other file", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "ext.py": "import pandas as pd\ndef ext(f):\n    setattr(pd.DataFrame,f.__name__,f)\n    return f\n", "patches.py": "from ext import ext\n@ext\ndef zz(self): return 1\n"}, "patches.py", "return 1", "return 2"),
    ("monkey decorator factory", {"job.py": "import patches\nimport pandas as pd\ndef step(): return pd.DataFrame({'a':[1]}).zz()\n", "patches.py": "import pandas as pd\ndef ext(cls):\n    def d(f):\n        setattr(cls,f.__name__,f)\n        return f\n    return d\n@ext(pd.DataFrame)\ndef zz(self): return 1\n"}, "patches.py", "return 1", "return 2"),
    ("pl namespace", {"job.py": "import patches\nimport polars as pl\ndef step(): return pl.DataFrame({'a':[1]}).zzq.f()\n", "patches.py": "import polars as pl\n@pl.api.register_dataframe_namespace('zzq')\nclass N:\n    def __init__(self,d): pass\n    def f(self): return 1\n"}, "patches.py", "return 1", "return 2"),
    ("copyreg", {"job.py": "import copyreg\nclass A: pass\ndef red(a): return (A,())\ncopyreg.pickle(A, red)\ndef step():\n    import copy\n    return copy.copy(A())\n"}, "job.py", "(A,())", "(A,(),{'x':1})"),
    ("locale-like with stmt", {"job.py": "import numpy as np\nwith np.errstate(over='ignore'):\n    X=np.float64(1)\ndef step(): return X\n"}, "job.py", "float64(1)", "float64(2)"),
    ("json default encoder patched", {"job.py": "import json\nclass E(json.JSONEncoder):\n    def default(self,o): return 1\ndef step(): return json.dumps({1,2},cls=E)\n"}, "job.py", "return 1", "return 2"),
    ("property setter", {"job.py": "class A:\n    def __init__(self): self._x=1\n    @property\n    def x(self): return self._x\n    @x.setter\n    def x(self,v): self._x=v*2\ndef step():\n    a=A(); a.x=3\n    return a.x\n"}, "job.py", "v*2", "v*3"),
    ("functools.cache method", {"job.py": "import functools\nclass A:\n    @functools.cache\n    def f(self): return 1\ndef step(): return A().f()\n"}, "job.py", "return 1", "return 2"),
    ("total_ordering", {"job.py": "import functools\n@functools.total_ordering\nclass A:\n    def __init__(self,x): self.x=x\n    def __eq__(self,o): return self.x==o.x\n    def __lt__(self,o): return self.x<o.x\ndef step(): return A(1)>=A(2)\n"}, "job.py", "self.x<o.x", "self.x>o.x"),
    ("weakset registry", {"job.py": "import weakref\nR=weakref.WeakSet()\nclass A:\n    def f(self): return 1\nR.add(A)\ndef step(): return [c().f() for c in R]\n"}, "job.py", "return 1", "return 2"),
    ("thread local", {"job.py": "import threading\nL=threading.local()\nL.x=1\ndef step(): return L.x\n"}, "job.py", "L.x=1", "L.x=2"),
    ("type() class", {"job.py": "A=type('A',(),{'f':lambda self: 1})\ndef step(): return A().f()\n"}, "job.py", "self: 1", "self: 2"),
    ("type() base data", {"job.py": "A=type('A',(),{'x':1})\ndef step(): return A.x\n"}, "job.py", "'x':1", "'x':2"),
    ("SimpleNamespace func", {"job.py": "from types import SimpleNamespace as S\nn=S(f=lambda: 1)\ndef step(): return n.f()\n"}, "job.py", "lambda: 1", "lambda: 2"),
    ("ModuleType made by hand", {"job.py": "import types\nm=types.ModuleType('cfg')\nm.x=1\ndef step(): return m.x\n"}, "job.py", "m.x=1", "m.x=2"),
    ("global statement", {"job.py": "X=1\ndef setx():\n    global X\n    X=2\nsetx()\ndef step(): return X\n"}, "job.py", "    X=2", "    X=3"),
    ("del and redefine", {"job.py": "X=1\ndel X\nX=2\ndef step(): return X\n"}, "job.py", "X=2", "X=3"),
    ("walrus", {"job.py": "if (X:=1): pass\ndef step(): return X\n"}, "job.py", "X:=1", "X:=2"),
    ("for leak", {"job.py": "for X in [1,2]: pass\ndef step(): return X\n"}, "job.py", "[1,2]", "[1,3]"),
    ("with as", {"job.py": "import io\nwith io.StringIO('1') as f: X=f.read()\ndef step(): return X\n"}, "job.py", "'1'", "'2'"),
    ("match", {"job.py": "match [1,2]:\n    case [a,b]: X=b\ndef step(): return X\n"}, "job.py", "[1,2]", "[1,3]"),
    ("async step helper", {"job.py": "import asyncio\nasync def h(): return 1\ndef step(): return asyncio.run(h())\n"}, "job.py", "return 1", "return 2"),
    ("generator func", {"job.py": "def h():\n    yield 1\ndef step(): return list(h())\n"}, "job.py", "yield 1", "yield 2"),
    ("getattr self method", {"job.py": "class A:\n    def make_a(self): return 1\n    def run(self,k): return getattr(self,'make_'+k)()\ndef step(k='a'): return A().run(k)\n"}, "job.py", "return 1", "return 2"),
    ("format spec", {"job.py": "class A:\n    def __format__(self,s): return '1'\na=A()\ndef step(): return f'{a:x}'\n"}, "job.py", "'1'", "'2'"),
    ("exception class", {"job.py": "class E(Exception):\n    code=1\ndef step():\n    try: raise E\n    except E as e: return e.code\n"}, "job.py", "code=1", "code=2"),
    ("local import of alias", {"job.py": "def step():\n    from lib import f as g\n    return g()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("local import pkg.sub", {"job.py": "def step():\n    import pkg.sub\n    return pkg.sub.f()\n", "pkg/__init__.py": "", "pkg/sub.py": "def f(): return 1\n"}, "pkg/sub.py", "return 1", "return 2"),
    ("local import, init", {"job.py": "def step():\n    import pkg.sub\n    return pkg.sub.f()\n", "pkg/__init__.py": "X=1\n", "pkg/sub.py": "import pkg\ndef f(): return pkg.X\n"}, "pkg/__init__.py", "X=1", "X=2"),
    ("local from pkg import sub", {"job.py": "def step():\n    from pkg import sub\n    return sub.f()\n", "pkg/__init__.py": "", "pkg/sub.py": "def f(): return 1\n"}, "pkg/sub.py", "return 1", "return 2"),
    ("local star-imported chain", {"job.py": "def step():\n    import lib\n    return lib.f()\n", "lib.py": "from deep import *\n", "deep.py": "def f(): return 1\n"}, "deep.py", "return 1", "return 2"),
    ("local import in a loaded helper class", {"job.py": "class A:\n    def g(self):\n        import lib\n        return lib.f()\ndef step(): return A().g()\n", "lib.py": "def f(): return 1\n"}, "lib.py", "return 1", "return 2"),
    ("path in tuple of dict", {"job.py": "from pathlib import Path\nD={'a':(Path('d.txt'),)}\ndef step(): return D['a'][0].read_text()\n", "d.txt": "one"}, "d.txt", "one", "two"),
    ("path in closure", {"job.py": "from pathlib import Path\ndef make(p):\n    def g(): return p.read_text()\n    return g\nstep=make(Path('d.txt'))\n", "d.txt": "one"}, "d.txt", "one", "two"),
    ("path default", {"job.py": "from pathlib import Path\ndef step(p=Path('d.txt')): return p.read_text()\n", "d.txt": "one"}, "d.txt", "one", "two"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "file", "before", "after"), [form[1:] for form in FORMS], ids=[f[0] for f in FORMS]
)
def test_an_edit_of_what_a_step_reaches_moves_its_key(versions, files, file, before, after):
    first = versions(files)
    assert versions.code.complete, versions.code.parts
    assert versions(files) == first, "the same project has the same key"
    assert before in files[file]
    assert versions({**files, file: files[file].replace(before, after)}) != first


# What changes no result of the step: name, files, edit.
NEEDLESS = [
    ("comment", "def step():\n    return 1\n", "return 1", "return 1  # one"),
    ("lines", "def step(x):\n    if x:\n        return 1\n    return 2\n", "    if x:", "\n    if (\n        x\n    ):"),
    ("brackets", "def step(x):\n    return x + 1\n", "x + 1", "(\n        x\n        + (1)\n    )"),
    ("docstring", "def step():\n    return 1\n", "    return 1", "    '''One.'''\n    return 1"),
    ("docstring of a class", "class A:\n    '''One.'''\ndef step():\n    return A\n", "One.", "Two."),
    ("unrelated function", "def f():\n    return 1\ndef step():\n    return 1\n", "def f():\n    return 1", "def f():\n    return 2"),
    ("unrelated constant", "RATE = 1\ndef step():\n    return 1\n", "RATE = 1", "RATE = 2"),
    ("unrelated class", "class A:\n    x = 1\ndef step():\n    return 1\n", "x = 1", "x = 2"),
    ("function moved", "def f():\n    return 1\ndef g():\n    return 2\ndef step():\n    return f()\n", "def f():\n    return 1\ndef g():\n    return 2\n", "def g():\n    return 2\ndef f():\n    return 1\n"),
    ("options of a step", "import penstock as ps\n@ps.step(retries=1)\ndef step():\n    return 1\n", "retries=1", "retries=3, priority=2, timeout='1m'"),
    ("main block", "def step():\n    return 1\nif __name__ == '__main__':\n    print(step())\n", "print(step())", "print(step(), 1)"),
    ("import of an unused module", "def step():\n    return 1\n", "def step", "import json\ndef step"),
    ("file-wide constant of numpy", "import numpy as np\nA = np.zeros(3)\ndef step():\n    return 1\n", "zeros(3)", "zeros(4)"),
    ("log of another function", "def f():\n    print('one')\ndef step():\n    return 1\n", "'one'", "'two'"),
    ("equal value, other text", "RATE = 3\ndef step():\n    return RATE\n", "RATE = 3", "RATE = 1 + 2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "before", "after"), [form[1:] for form in NEEDLESS], ids=[f[0] for f in NEEDLESS]
)
def test_an_edit_that_changes_no_result_leaves_the_key(versions, text, before, after):
    first = versions({"job.py": text})
    assert before in text
    assert versions({"job.py": text.replace(before, after)}) == first


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("def step(x):\n    return eval(x)\n", "job.py:2: eval"),
        ("def step(x):\n    exec(x)\n", "job.py:2: exec"),
        ("from builtins import eval as run\ndef step(x):\n    return run(x)\n", "job.py:3: run"),
        ("import importlib\ndef step(x):\n    return importlib.import_module(x)\n", "job.py:3: import_module"),
        ("import importlib\ndef step(x):\n    return importlib.import_module('plugins.' + x)\n", "job.py:3: import_module"),
        ("import importlib\ndef step(x):\n    return importlib.import_module(f'plugins.{x}')\n", "job.py:3: import_module"),
        ("import importlib\ndef step(x):\n    return importlib.import_module('plugins.{}'.format(x))\n", "job.py:3: import_module"),
        ("import importlib\ndef step(x):\n    return importlib.import_module('plugins.' + x(1))\n", "job.py:3: import_module"),
        ("def step(x):\n    return __import__(x)\n", "job.py:2: __import__"),
        ("import runpy\ndef step(x):\n    return runpy.run_path(x)\n", "runpy.run_path"),
        ("import importlib.util\ndef step(x):\n    return importlib.util.spec_from_file_location('m', x)\n", "spec_from_file_location"),
        ("TABLE = {'e': eval}\ndef step(x):\n    return TABLE['e'](x)\n", "eval"),
    ],
)  # fmt: skip
def test_code_that_only_the_run_knows_is_named(versions, text, named):
    versions({"job.py": text})
    assert any(named in place for place in versions.code.unfollowed), versions.code.unfollowed


@pytest.mark.parametrize(
    "value",
    [
        "(x for x in [1])",
        "open(__file__)",
        "__import__('socket').socket()",
        "__import__('sqlite3').connect(':memory:')",
        "__import__('numpy').frompyfunc(lambda x: x, 1, 1)",
    ],
)
def test_a_value_that_cannot_be_digested_makes_the_step_uncached_and_is_named(versions, value):
    versions({"job.py": f"VALUE = {value}\ndef step():\n    return VALUE\n"})
    assert not versions.code.complete
    assert any("has no digest" in part for part in versions.code.parts.values())


@pytest.mark.parametrize(
    "value",
    [
        "__import__('logging').getLogger('x')",
        "__import__('threading').Lock()",
        "__import__('threading').RLock()",
        "object()",
        "__import__('sys').stdout",
        "__import__('os').environ",
        "__import__('typing').TypeVar('T')",
        "list[int] | None",
        "__import__('typing').Optional[int]",
        "__import__('datetime').datetime(2024, 1, 1)",
        "__import__('decimal').Decimal('1.0')",
        "__import__('zoneinfo').ZoneInfo('Europe/Zurich')",
        "__import__('collections').defaultdict(list, a=[1])",
        "__import__('itertools').count(3)",
        "__import__('random').Random(3)",
        "__import__('numpy').random.default_rng(3)",
        "__import__('types').SimpleNamespace(a=1)",
        "__import__('argparse').Namespace(a=1)",
        "__import__('collections').namedtuple('P', 'x')(1)",
        "__import__('operator').itemgetter(1)",
    ],
)
def test_common_values_at_module_level_do_not_keep_a_step_from_the_cache(versions, value):
    first = versions({"job.py": f"VALUE = {value}\ndef step():\n    return VALUE\n"})
    assert versions.code.complete, versions.code.parts
    assert versions({"job.py": f"VALUE = {value}\ndef step():\n    return VALUE\n"}) == first


def test_a_chain_of_a_thousand_functions_is_followed_to_its_end(versions):
    functions = "".join(f"def f{i}():\n    return f{i + 1}()\n" for i in range(1000))
    text = f"{functions}def f1000():\n    return 1\ndef step():\n    return f0()\n"
    first = versions({"job.py": text})
    assert versions.code.complete
    assert versions({"job.py": text.replace("return 1\n", "return 2\n")}) != first


def test_a_value_that_an_annotation_may_ignore_counts_where_the_code_reads_it(versions):
    text = "class Plan:\n    held = (x for x in [1])\ndef step(plan: Plan):\n    return plan\n"
    versions({"job.py": text})
    assert versions.code.complete
    versions({"job.py": text.replace("return plan", "return Plan.held")})
    assert not versions.code.complete


@pytest.mark.parametrize(
    "text",
    [
        "def step():\n    import colorsys\n    return colorsys.rgb_to_hsv(1, 1, 1)\n",
        "def step():\n    from xml.dom import minidom\n    return minidom.parseString('<a/>')\n",
        "def step():\n    import sklearn.isotonic\n    return sklearn.isotonic.IsotonicRegression()\n",
        "def step():\n    from sklearn.isotonic import IsotonicRegression\n    return IsotonicRegression()\n",
        "import sklearn\ndef step():\n    return sklearn.isotonic.IsotonicRegression()\n",
        "def step():\n    import sklearn.isotonic as i\n    return i.IsotonicRegression()\n",
    ],
)
def test_a_key_does_not_depend_on_whether_a_package_is_loaded_by_now(versions, monkeypatch, text):
    names = ("colorsys", "xml.dom.minidom", "sklearn.isotonic")
    for name in names:
        importlib.import_module(name)
    first = versions({"job.py": text})
    for name in names:
        monkeypatch.delitem(sys.modules, name)
        parent, _, last = name.rpartition(".")
        if parent:
            monkeypatch.delattr(sys.modules[parent], last)
    assert versions({"job.py": text}) == first
