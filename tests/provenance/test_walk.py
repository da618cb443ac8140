"""Every way in which Python lets a step reach code or values: an edit there moves its key."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore:registration of accessor")

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
