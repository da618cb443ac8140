"""Digests of the code that a step runs, of a step's argument, and of the changes by imports.

All are computed from the live, loaded objects: the function itself, the values that the function
carries, and the current values of the names that the function reads. Anything that cannot be
followed or digested is reported.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from penstock.provenance._bytecode import text_digest
from penstock.provenance._effects import visit_effects
from penstock.provenance._findings import Findings
from penstock.provenance._imports import import_closure
from penstock.provenance._module_marks import ModuleMark, all_hold, mark_module
from penstock.provenance._steady import Steady
from penstock.provenance._walk import Walk

DigestValue = Callable[[Any], str]
_MOST_KNOWN = 32
_known_effects: dict[tuple[Path, frozenset[str]], "tuple[list[ModuleMark], CodeDigest]"] = {}


@dataclass(frozen=True, slots=True)
class CodeDigest:
    """Digests of the code that a function runs and of the values that the function reads.

    Args:
        digest: A single digest over everything that was reached.
        parts: Facts by which a change is reported: digest by ``file.py:name``, a number itself, and
            version by ``package numpy``.
        carried: Digest of the code that may travel on inside values that the function returns; None
            if there is none.
        complete: False if something reached cannot be digested; then nothing may be cached.
        unfollowed: Places of calls that run computed code, as ``job.py:31: exec``: the code they
            reach is not among the parts, so nothing may be cached either unless the user declares
            that code.
        sources: Objects with a ``fingerprint`` that were reached, by place.
        steady: Check of whether the digest still holds.
    """

    digest: str
    parts: dict[str, str]
    carried: str | None = None
    complete: bool = True
    unfollowed: tuple[str, ...] = ()
    sources: Mapping[str, Any] = field(default_factory=dict)
    steady: Steady = field(
        default_factory=lambda: Steady(is_possible=False), repr=False, compare=False
    )

    def holds(self) -> bool:
        """Return whether the digest is certainly the same as a new digest now."""
        return self.steady.holds()


def code_digest(
    function: Callable[..., Any], project: Path, digest_value: DigestValue | None = None
) -> CodeDigest:
    """Compute the digest of a function with all user code and module-level values reached.

    >>> "package penstock" in code_digest(code_digest, Path.cwd()).parts
    True

    Args:
        function: The step's function.
        project: The project's folder; files are named relative to that.
        digest_value: Digests tables, arrays and models; without the function they have no digest.
    """
    walk = Walk(project, digest_value)
    place = getattr(function, "__qualname__", type(function).__qualname__)
    digest = walk.digest(walk.visit(function, place))
    findings = walk.found
    carried = digest if findings.makes_functions else _joint(findings, project, digest_value)
    return replace(_result(digest, findings, carried), steady=walk.steady)


def value_digest(
    value: Any, place: str, project: Path, digest_value: DigestValue | None = None
) -> CodeDigest:
    """Compute the digest of a step's argument, with the code that the value carries.

    >>> one, two = (value_digest(number, "x", Path.cwd()).digest for number in (1, 1.0))
    >>> one == two
    False

    Args:
        value: Any value.
        place: Name of the value in reports of objects without a digest.
        project: The project's folder.
        digest_value: Digests tables, arrays and models; without the function they have no digest.
    """
    walk = Walk(project, digest_value)
    digest = walk.digest(walk.visit(value, place))
    return _result(digest, walk.found, digest if walk.found.has_code else None)


def effects_digest(
    modules: Iterable[str], project: Path, digest_value: DigestValue | None = None
) -> CodeDigest:
    """Compute the digest of changes that imports made elsewhere: patches, registrations, settings.

    Args:
        modules: Names of the modules of a pipeline and the steps; their imports count too, and the
            settings that the script that started the process makes in libraries.
        project: The project's folder.
        digest_value: Digests tables, arrays and models.
    """
    place = (project, frozenset(modules))
    main = import_closure(place[1])
    drivers = [module for module in import_closure(["__main__"]) if module not in main]
    known = _known_effects.get(place)
    if known is not None and all_hold(known[0], [*main, *drivers]) and known[1].holds():
        return known[1]
    marks = [mark_module(module) for module in (*main, *drivers)]
    walk = Walk(project, digest_value)
    walk.lenient = 1  # the call is over: its arguments cannot make a result unrepeatable
    refs = [visit_effects(walk, module, is_driver=False) for module in main]
    refs += [visit_effects(walk, module, is_driver=True) for module in drivers]
    digest = walk.digest(tuple(ref for ref in refs if ref is not None))
    walk.found.unfollowed.clear()
    made = replace(_result(digest, walk.found, None), steady=walk.steady)
    if len(_known_effects) >= _MOST_KNOWN:
        _known_effects.clear()
    _known_effects[place] = marks, made
    return made


def _joint(findings: Findings, project: Path, digest_value: DigestValue | None) -> str | None:
    roots = [*findings.classes, *findings.passed_on]
    if not roots:
        return None
    walk = Walk(project, digest_value)
    return walk.digest(*(walk.visit(root, root.__qualname__) for root in roots))


def _result(digest: str, findings: Findings, carried: str | None) -> CodeDigest:
    parts = {
        name: facts[0] if len(facts) == 1 else f"sha256:{text_digest(facts)}"
        for name, facts in findings.parts.items()
    }
    return CodeDigest(
        digest,
        dict(sorted({**parts, **findings.versions, **findings.blind}.items())),
        carried,
        not findings.blind,
        tuple(sorted(findings.unfollowed)),
        findings.sources,
    )
