"""Models: the list, and a model's versions with gates, approvals, history and card."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import (
    GateResult,
    GateState,
    ModelVersionRecord,
    NotFoundError,
    PenstockError,
    Permission,
    Stage,
    did_you_mean,
)
from penstock.models import FeatureInputs, read_onnx_form
from penstock.registry import current_card
from penstock.server.ui._charts import spark
from penstock.server.ui._page import Page, Query
from penstock.server.ui._reports import evaluation_view, headline, is_loss
from penstock.server.ui._setbacks import setbacks, with_setbacks
from penstock.server.ui._site import Site
from penstock.server.ui._waiting import may
from penstock.serving import list_batches
from penstock.tables import Column, show_limit

_PER_PAGE = 200
_BATCHES = 20
_ORDERS = {"created_at desc": "newest", "model": "model", "version desc": "version"}


def models_page(site: Site, query: Query) -> Page:
    """List the models; with a filter, the matching versions."""
    filter_text, order = query.text("filter"), query.text("sort", next(iter(_ORDERS)))
    if filter_text:
        return _versions_page(site, filter_text, order if order in _ORDERS else next(iter(_ORDERS)))
    serving = site.metadata.deployments.list()
    models: list[dict[str, Any]] = []
    for name in site.metadata.models.list():
        versions = site.metadata.models.list_versions(name)
        models.append(
            {
                "name": name,
                "versions": len(versions),
                "champion": _in_stage(versions, Stage.PRODUCTION),
                "challenger": _in_stage(versions, Stage.STAGING),
                "latest": max(versions, key=lambda v: v.version, default=None),
                "deployments": [d.name for d in serving if d.model == name],
            }
        )
    latest = [model["latest"] for model in models if model["latest"]]
    view = {
        "headline": headline,
        "tally": tally,
        "asked": "",
        "setbacks": setbacks(site, latest),
    }
    return Page("models.html", "Models", {"models": models}, view, section="models")


def _versions_page(site: Site, filter_text: str, order: str) -> Page:
    error, versions = "", list[ModelVersionRecord]()
    try:
        versions = site.metadata.models.search_versions(
            filter_text, order_by=order, limit=_PER_PAGE
        )
    except PenstockError as problem:
        error = str(problem)
    return Page(
        "versions.html",
        "Versions",
        data={"versions": versions, "error": error},
        view={
            "asked": filter_text,
            "order": order,
            "orders": _ORDERS,
            "headline": headline,
            "tally": tally,
            "setbacks": setbacks(site, versions),
            "most": _PER_PAGE,
        },
        section="models",
        status=400 if error else 200,
    )


def model_page(site: Site, query: Query, name: str) -> Page:
    """Show a model.

    Raises:
        NotFoundError: If there is no such model or version.
    """
    versions = sorted(
        site.metadata.models.list_versions(name), key=lambda v: v.version, reverse=True
    )
    if not versions:
        known = site.metadata.models.list()
        raise NotFoundError(what=f"There is no model {name!r}.", fix=did_you_mean(name, known))
    champion = _in_stage(versions, Stage.PRODUCTION)
    shown = _shown(versions, champion, query)
    approvals = {v.version: site.metadata.models.list_approvals(name, v.version) for v in versions}
    history = site.metadata.models.list_stage_events(name)[::-1]
    batches = list_batches(name, limit=_BATCHES, store=site.store)
    data = {
        "name": name,
        "champion": champion and champion.version,
        "challenger": (staged := _in_stage(versions, Stage.STAGING)) and staged.version,
        "versions": versions,
        "approvals": approvals,
        "history": history,
        "batches": [batch.to_json() for batch in batches],
        "deployments": [d for d in site.metadata.deployments.list() if d.model == name],
    }
    record = site.artifact(shown.report)
    evaluation = evaluation_view(site, record) if record else None
    back = setbacks(site, versions)
    view = {
        "setbacks": back,
        "timeline": with_setbacks(history, back),
        "shown": shown,
        "batch_rows": batches,
        "metric_names": _metric_names(versions),
        "sparks": _sparks(versions),
        "better": better,
        "tally": tally,
        "card": _card(site, shown),
        "evaluation": evaluation,
        "commands": _commands(shown, champion, versions, is_back=shown.ref in back),
        "fields": _input_columns(shown.signature or {}),
        "form": read_onnx_form(shown, store=site.store),
        "allowed": _allowed(site, shown, champion, versions, is_back=shown.ref in back),
    }
    return Page("model.html", name, data, view, section="models", charts=bool(evaluation))


def _input_columns(signature: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the input columns, with the feature view that each comes from."""
    features = signature.get("features")
    views = FeatureInputs.from_json(features).columns if features else {}
    stored = {each["view"]["name"] for each in features["views"]} if features else set()
    rows = [_input_column(field) for field in signature.get("inputs") or ()]
    return [
        {**row, "view": views.get(row["name"], ""), "has_page": views.get(row["name"]) in stored}
        for row in rows
    ]


def _input_column(field: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input column's row: facts, and the training range as text."""
    low, high = field.get("minimum"), field.get("maximum")
    if low is None or high is None:
        return {**field, "span": ""}
    column = Column.from_json({"dtype": "", **field})
    return {**field, "span": f"{show_limit(column, low)} to {show_limit(column, high)}"}


def tally(gates: Sequence[GateResult]) -> dict[str, int]:
    """Count gates by state, states without gates left out.

    >>> tally([GateResult("a >= 1", GateState.PASSED, "")])
    {'passed': 1}
    """
    counts = {state.value: sum(1 for g in gates if g.state is state) for state in GateState}
    return {state: count for state, count in counts.items() if count}


def better(metric: str, value: float | None, reference: float | None) -> str:
    """Return whether a figure is better (``up``) or worse (``down``) than a reference; else empty.

    >>> better("log_loss", 0.3, 0.4)
    'up'
    """
    if value is None or reference is None or value == reference:
        return ""
    return "up" if (value < reference) == is_loss(metric) else "down"


def _in_stage(versions: Sequence[ModelVersionRecord], stage: Stage) -> ModelVersionRecord | None:
    in_that_stage = [version for version in versions if version.stage is stage]
    return max(in_that_stage, key=lambda version: version.version, default=None)


def _shown(
    versions: Sequence[ModelVersionRecord], champion: ModelVersionRecord | None, query: Query
) -> ModelVersionRecord:
    """Choose the version whose details are shown: the requested, the champion, or the newest."""
    newest = versions[0]
    number = query.number("version", 0, low=0, high=1_000_000_000)
    if not number:
        return champion or newest
    for version in versions:
        if version.version == number:
            return version
    raise NotFoundError(
        what=f"{newest.model} has no version {number}.",
        fix=f"Its versions are {versions[-1].version} to {newest.version}.",
    )


def _metric_names(versions: Sequence[ModelVersionRecord]) -> list[str]:
    return list(dict.fromkeys(name for version in versions for name in headline(version.metrics)))


def _sparks(versions: Sequence[ModelVersionRecord]) -> dict[str, str]:
    """Draw each metric over the version numbers."""
    rising = versions[::-1]
    return {
        name: spark([v.metrics[name] for v in rising if name in v.metrics])
        for name in _metric_names(versions)
    }


def _card(site: Site, version: ModelVersionRecord) -> str:
    if not version.card or not site.artifact(version.card):
        return ""
    card = site.load(version.card)
    if not isinstance(card, str):
        return ""
    approvals = site.metadata.models.list_approvals(version.model, version.version)
    return current_card(card, version, approvals)


def _allowed(
    site: Site,
    shown: ModelVersionRecord,
    champion: ModelVersionRecord | None,
    versions: Sequence[ModelVersionRecord],
    *,
    is_back: bool,
) -> frozenset[str]:
    """Return the buttons that the reader's permissions allow for the shown version, now."""
    waits = shown.stage in {Stage.NONE, Stage.STAGING}
    possible = {
        "approve": (waits and not site.store.single_user, Permission.APPROVE),
        "promote": (waits and not is_back, Permission.OPERATE),
        "stage": (shown.stage is Stage.NONE and not is_back, Permission.WRITE),
        "rollback": (
            champion is not None and any(v.stage is Stage.ARCHIVED for v in versions),
            Permission.OPERATE,
        ),
        "archive": (waits, Permission.OPERATE),
        "tag": (True, Permission.WRITE),
    }
    return frozenset(
        name
        for name, (is_possible, permission) in possible.items()
        if is_possible and may(site, permission, shown.model)
    )


def _commands(
    shown: ModelVersionRecord,
    champion: ModelVersionRecord | None,
    versions: Sequence[ModelVersionRecord],
    *,
    is_back: bool,
) -> Mapping[str, str]:
    commands: dict[str, Any] = {}
    ref = f"{shown.model}@{shown.version}"
    if is_back and shown.stage in {Stage.NONE, Stage.STAGING, Stage.ARCHIVED}:
        # The version failed its callers before: promotion is not suggested, though still possible.
        commands["reject"] = f'penstock reject {ref} --reason "…"'
    elif shown.stage in {Stage.NONE, Stage.STAGING}:
        commands["promote"] = f'penstock promote {ref} --reason "…"'
        commands["approve"] = f'penstock approve {ref} --reason "…"'
    if champion and any(v.stage is Stage.ARCHIVED for v in versions):
        commands["rollback"] = f'penstock rollback {shown.model} --reason "…"'
    if shown.stage is Stage.PRODUCTION:
        commands["serve"] = f"penstock serve {shown.model}"
    commands["history"] = f"penstock history {shown.model}"
    return commands
