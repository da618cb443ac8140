"""Step and @step: a plain function with a name, outputs and options of the execution."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, get_args, overload

from penstock.core import ArtifactRecord, DefinitionError, ParameterError, parse_duration
from penstock.pipelines._hints import output_names, resolve_hints
from penstock.pipelines._position import function_position, position_text
from penstock.pipelines._recorder import recorder
from penstock.pipelines._resources import Resources, Retry, Tolerance
from penstock.provenance import watch_imports

InputCheck = Callable[[ArtifactRecord], Any]
P = ParamSpec("P")
R = TypeVar("R")

watch_imports()  # records the code of modules imported from now on: step keys are made of it

_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Step(Generic[P, R]):
    """A function that a pipeline can run, record, cache and repeat.

    Outside a pipeline body a call runs the function; inside, the call is recorded.

    Args:
        function: The plain function.
        name: Name of the step in a pipeline; by default the function's.
        retries: Maximum number of retries after an exception, 0 or more.
        timeout: Maximum duration of an attempt; None for no limit.
        resources: Resources that the step needs.
        cache: False if the result must never be reused.
        cache_for: How long the result may be reused, as ``"7d"``; None for ever.
        effect: True for a side effect, a change outside the run: never cached, not repeated by
            verify.
        source: True if the step reads a source: verify replays the recorded output.
        tolerance: Maximum difference of numbers in verification; None for none.
        priority: Of the steps that can start, the step with the highest priority starts first.
        isolate: True to run the step in a separate process, whichever runner the run has.
        uses: Dependencies of the result that the code does not show: functions, classes, modules,
            and paths of files or folders, relative to the project. They count in the key; and a
            step that runs code made during the run (``exec``) is cached only if ``uses`` is
            declared.
        concurrency_limit: Name of a concurrency limit of all runs on the store together: 1 step, unless
            ``[tool.penstock.limits]`` in pyproject.toml sets a number.
        workers: Number of processes that execute the step together, connected by
            ``torch.distributed``; the value of the first is the step's. None for a single process
            without a connection.
        shards: Number of logical shards of a training with ``ps.distributed.DataParallel``: the
            result is the same for every number of workers, which is then not part of the key.
        deterministic: False to let torch use faster kernels whose results may differ between two
            executions.
        environment: Requirements file of the step, relative to the project, ``"requirements/gpu.txt"``:
            `penstock image` makes an image of it, exported pipelines execute the step in that image,
            and what the file requires is part of the key. `penstock run` itself uses the interpreter
            at hand. None for the project's requirements.
        input_checks: By argument, a check of the stored input: a function of the ArtifactRecord that
            raises a PenstockError. A step whose output is refused fails at once, not when this
            step is reached.
    """

    joins = False  # True for a step that accepts missing inputs, as `when` does
    asks = False  # True for a step that waits for approval

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        retries: int | Retry = 0,
        timeout: str | float | timedelta | None = None,
        resources: Resources | None = None,
        cache: bool = True,
        cache_for: str | float | timedelta | None = None,
        effect: bool = False,
        source: bool = False,
        tolerance: Tolerance | None = None,
        priority: int = 0,
        isolate: bool = False,
        uses: Sequence[Any] = (),
        concurrency_limit: str | None = None,
        workers: int | None = None,
        shards: int | None = None,
        deterministic: bool = True,
        environment: str | None = None,
        input_checks: Mapping[str, InputCheck] | None = None,
    ) -> None:
        _require_function(function)
        update_wrapper(self, function)
        self.function = function
        self.name = name or function.__name__
        if not _is_count(retries) and not isinstance(retries, Retry):
            self._refuse(
                f"has retries={retries!r}", "Give a whole number of 0 or more, or a Retry(…)."
            )
        self.retry = retries if isinstance(retries, Retry) else Retry(retries)
        self.timeout = self._read_time("timeout", timeout)
        self.cache_for = self._read_time("cache_for", cache_for)
        self.resources = resources or Resources()
        self.cache, self.effect, self.source = cache and not effect, effect, source
        self.tolerance = tolerance
        self.priority, self.concurrency_limit = priority, concurrency_limit
        self.workers, self.shards, self.deterministic = workers, shards, deterministic
        self.isolate = isolate or workers is not None
        self.environment = environment
        self.input_checks = dict(input_checks or {})
        self.uses: tuple[Any, ...] = (uses,) if isinstance(uses, str) else tuple(uses)
        self._options: dict[str, Any] = {
            "retries": retries, "timeout": timeout, "resources": resources, "cache": cache,
            "cache_for": cache_for, "effect": effect, "source": source, "tolerance": tolerance,
            "priority": priority, "isolate": isolate, "uses": uses, "concurrency_limit": concurrency_limit,
            "workers": workers, "shards": shards, "deterministic": deterministic,
            "environment": environment,
            "input_checks": input_checks,
        }  # fmt: skip
        self._require_workers()
        if self.name == "<lambda>":
            self._refuse("is a lambda and has no name", "Write a def, or give step(name='…').")
        if not _is_name(concurrency_limit):
            self._refuse(
                f"has concurrency_limit={concurrency_limit!r}",
                "Give the name of what is limited: 'warehouse'.",
            )
        if not _is_name(environment) or str(environment).startswith(("/", "..")):
            self._refuse(
                f"has environment={environment!r}",
                "Give a requirements file of the project: 'requirements/gpu.txt'.",
            )
        if not _is_whole(priority):
            self._refuse(f"has priority={priority!r}", "Give a whole number; more comes first.")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function, or record the call if a pipeline body is being traced."""
        active = recorder.get()
        if active is None:
            return self.function(*args, **kwargs)
        recorded: R = active.record(self, args, kwargs)
        return recorded

    def __repr__(self) -> str:
        return f"<step {self.name!r} at {self.position}>"

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's arguments with their defaults."""
        return inspect.signature(self.function)

    @cached_property
    def hints(self) -> dict[str, Any]:
        """Type hints by argument name, and ``return``."""
        return resolve_hints(self.function)

    @cached_property
    def output_hints(self) -> dict[str, Any]:
        """Type hint by output name; a generator makes a sequence of the yielded values."""
        hint = self.hints.get("return", Any)
        if inspect.isgeneratorfunction(self.function):
            yielded = get_args(hint)[:1]
            hint = Sequence[yielded[0]] if yielded else Sequence  # type: ignore[valid-type]
        return dict(output_names(hint))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs: ``("result",)`` unless the return annotation is a tuple."""
        return tuple(self.output_hints)

    @property
    def position(self) -> str:
        """File and line of the definition."""
        return position_text(function_position(self.function))

    @property
    def threads(self) -> int | None:
        """Threads for numerical libraries in each process; None for the libraries' own choice."""
        if self.workers is None and self.shards is None:
            return self.resources.cpu
        return self.resources.cpu or 1  # sums within an operation depend on the number

    @property
    def retries(self) -> int:
        """Maximum number of retries."""
        return self.retry.max_retries

    def named(self, name: str) -> "Step[P, R]":
        """Return the same step under a new name, for a second use in the same pipeline.

        >>> @step
        ... def train(depth: int) -> int:
        ...     return depth
        >>> train.named("train-deep").name
        'train-deep'
        """
        return type(self)(self.function, name=name, **self._options)

    def call(self, arguments: Mapping[str, Any]) -> R:
        """Run the function on arguments by name, ``*args`` and ``**kwargs`` included."""
        if self._only_keywords:
            return self.function(**arguments)  # type: ignore[call-arg]  # bound when traced
        bound = inspect.BoundArguments(self.signature, dict(arguments))
        return self.function(*bound.args, **bound.kwargs)

    @cached_property
    def _only_keywords(self) -> bool:
        return all(item.kind in _KEYWORD for item in self.signature.parameters.values())

    def _read_time(self, option: str, value: str | float | timedelta | None) -> timedelta | None:
        try:
            duration = None if value is None else parse_duration(value)
        except ParameterError as error:
            self._refuse(f"has {option}={value!r}", error.fix)
        if duration is not None and duration <= timedelta(0):
            self._refuse(f"has {option}={value!r}", "Give a time above 0, for example '10m'.")
        return duration

    def _require_workers(self) -> None:
        for option in ("workers", "shards"):
            value = getattr(self, option)
            if value is not None and (isinstance(value, bool) or not _is_count(value) or not value):
                self._refuse(f"has {option}={value!r}", "Give a whole number of 1 or more.")
        if self.workers and self.shards and self.workers > self.shards:
            fix = f"Use at most {self.shards} workers, or more shards (which is another result)."
            self._refuse(f"has {self.workers} workers for {self.shards} shards", fix)
        if self.workers is not None and self.effect:
            fix = "Change the outside in a step of its own that takes this step's result."
            self._refuse("is a side effect with workers: each would repeat it", fix)
        if self.workers is not None and inspect.isgeneratorfunction(self.function):
            self._refuse("yields values and has workers", "Return the whole value.")

    def _refuse(self, fault: str, fix: str) -> Any:
        raise DefinitionError(
            what=f"{self.position}: step {self.function.__name__!r} {fault}.", fix=fix
        )


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...
@overload
def step(
    *,
    name: str | None = None,
    retries: int | Retry = 0,
    timeout: str | float | timedelta | None = None,
    resources: Resources | None = None,
    cache: bool = True,
    cache_for: str | float | timedelta | None = None,
    effect: bool = False,
    source: bool = False,
    tolerance: Tolerance | None = None,
    priority: int = 0,
    isolate: bool = False,
    uses: Sequence[Any] = (),
    concurrency_limit: str | None = None,
    workers: int | None = None,
    shards: int | None = None,
    deterministic: bool = True,
    environment: str | None = None,
    input_checks: Mapping[str, InputCheck] | None = None,
) -> Callable[[Callable[P, R]], Step[P, R]]: ...
def step(
    function: Callable[..., Any] | None = None,
    /,
    **options: Any,  # Any: the overloads name the options of Step
) -> Any:  # Any: a Step, or a decorator; see the overloads
    """Make a function a step.

    >>> @step(retries=1, timeout="10m")
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> double(4)
    8

    Args:
        function: The function; given by ``@step`` without brackets.
        **options: As for `Step`: ``name``, ``retries``, ``timeout``, ``resources``, ``cache``,
            ``cache_for``, ``effect``, ``source``, ``tolerance``, ``priority``, ``isolate``,
            ``uses``, ``concurrency_limit``, ``workers``, ``shards``, ``deterministic``,
            ``environment``, ``input_checks``.

    Raises:
        DefinitionError: If the function is no plain function, or an option cannot be used.
    """
    if function is None:
        return lambda wrapped: Step(wrapped, **options)
    return Step(function, **options)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 0


def _is_name(value: object) -> bool:
    return value is None or (isinstance(value, str) and bool(value.strip()))


def _is_whole(value: object) -> bool:
    return isinstance(value, int)


def _require_function(function: Any) -> None:
    fault, fix = "", "Write a plain def that returns its result."
    if isinstance(function, Step):
        fault, fix = "is a step already", "Use it as it is, or .named('other') for a second name."
    elif inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        fault = "is async"
    elif not callable(function) or not hasattr(function, "__name__"):
        fault = "is no function"
    if fault:
        name = getattr(function, "__name__", repr(function))
        place = position_text(function_position(function))
        raise DefinitionError(what=f"{place}: {name} {fault}, so it cannot be a step.", fix=fix)
