"""Calls that change a library, and need no repetition elsewhere: what they set is seen in place.

A call is told if its library's settings are read by `library_settings` and set again by whoever
executes a step, if it seeds generators, which each step does itself, or if it changes only what a
person sees or whom a process talks to.
"""

import re

# Settings of these are read and set again, see `_library_settings`.
_SETTINGS = {
    "decimal": {"setcontext"},
    "keras": {
        "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format",
        "set_global_policy",
    },
    "locale": {"setlocale"},
    "matplotlib": {"set_cmap", "set_loglevel", "setp", "use", "use_backend"},
    "numpy": {"set_printoptions", "seterr"},
    "pandas": {"set_option", "reset_option", "register_matplotlib_converters"},
    "plotly": {"init_notebook_mode"},
    "polars": {
        "set_fmt_float", "set_float_precision", "set_thousands_separator",
        "set_decimal_separator", "set_trim_decimal_zeros",
    },
    "seaborn": {
        "reset_defaults", "reset_orig", "set", "set_context", "set_palette", "set_style",
        "set_theme",
    },
    "sklearn": {"set_config"},
    "torch": {
        "set_default_dtype", "set_float32_matmul_precision", "set_num_interop_threads",
        "set_num_threads", "set_printoptions",
    },
}  # fmt: skip
SETTING_OBJECTS = frozenset(
    {("pandas", "options"), ("plotly.io", "renderers"), ("plotly.io", "templates")}
)
"""Objects of modules whose attributes are settings, with the module."""
# They change no result: what is shown, where it is logged, and which processes there are.
_HARMLESS = frozenset(
    {"IPython", "atexit", "dotenv", "faulthandler", "gc", "google", "ipykernel", "ipywidgets",
     "itables", "matplotlib_inline", "mlflow", "multiprocessing", "nest_asyncio", "ray", "shap",
     "signal", "threadpoolctl", "tqdm", "wandb", "warnings"}
)  # fmt: skip
_SEEDS = re.compile(r"(re)?seed|set_(global_|random_)?seed|seed_everything")


def is_told(library: str, name: str) -> bool:
    """Return whether nothing is lost if a call is not repeated in another process.

    >>> is_told("sklearn", "set_config"), is_told("csv", "register_dialect")
    (True, False)

    Args:
        library: Top-level package of the called function.
        name: The function's name.
    """
    if library in _HARMLESS or _SEEDS.fullmatch(name):
        return True
    return name in _SETTINGS.get(library, set())
