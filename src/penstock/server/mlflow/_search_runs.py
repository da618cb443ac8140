"""MLflow's search for runs, as a search of the store.

Each comparison becomes a condition of the store's own filter that lets through at least the runs
meant, so that indexes find them; every run found is then compared exactly as MLflow compares. Where
a condition lets through more (LIKE, datasets), further rows are read until the page is full.
"""

from collections.abc import Sequence
from typing import Any

from penstock.core import ParameterError, RunRecord
from penstock.server.mlflow import _grammar as grammar
from penstock.server.mlflow._desk import Desk, quote, to_ms
from penstock.server.mlflow._experiments import read_view
from penstock.server.mlflow._fields import Fields, compact, read_token, write_token
from penstock.server.mlflow._grammar import FilterTest, SortTerm
from penstock.server.mlflow._kinds import EXPERIMENT, INPUT
from penstock.server.mlflow._rules import check_experiment_id
from penstock.server.mlflow._runs import NAME_TAG, STATUS, write_whole
from penstock.server.mlflow._values import param_text

_MOST, _DEFAULT = 50_000, 1000
_STATUS = {status: state.value for state, status in STATUS.items()}
_COLUMNS = {"run_id": "run_id", "user_id": "user", "start_time": "started_at",
            "end_time": "ended_at", "status": "state"}  # fmt: skip
_ORDERS = {**_COLUMNS, "start_time": "created_at", "run_name": "name"}
_VIEWS = {
    "ACTIVE_ONLY": "deleted_at is null",
    "DELETED_ONLY": "deleted_at is not null",
    "ALL": "(deleted_at is null or deleted_at is not null)",
}


def search_runs(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Search runs; those of no experiment are none."""
    most = fields.most(_DEFAULT, _MOST)
    offset = read_token(fields.text("page_token"))
    wanted = grammar.RUNS.read(fields.text("filter"))
    terms = grammar.RUNS.order(fields.texts("order_by"))
    view = read_view(fields, "run_view_type")
    ids = [check_experiment_id(text) for text in fields.texts("experiment_ids")]
    condition = _of_experiments(desk, ids, view)
    if condition is None:
        return {}
    text = " and ".join([condition, *filter(None, map(_condition, wanted))])
    order = ", ".join([*map(_order, terms), "created_at desc", "run_id"])
    rows, token = _fill(desk, text, order, wanted, (offset, most))
    return compact(runs=write_whole(desk, rows), next_page_token=token)


def _of_experiments(desk: Desk, ids: Sequence[str], view: str) -> str | None:
    """Return the condition on experiments and deletion; None if nothing can meet it."""
    names = [each.owner for each in desk.metadata.documents.list(EXPERIMENT, keys=ids)]
    gone = sorted(desk.deleted_experiments(names))
    living = [name for name in names if name not in gone]
    parts = []
    if living:
        parts.append(f"(experiment in ({_list(living)}) and {_VIEWS[view]})")
    if gone and view != "ACTIVE_ONLY":  # all runs of a deleted experiment count as deleted
        parts.append(f"(experiment in ({_list(gone)}) and {_VIEWS['ALL']})")
    return f"({' or '.join(parts)})" if parts else None


def _list(texts: Sequence[str]) -> str:
    return ", ".join(map(quote, texts))


def _fill(
    desk: Desk, text: str, order: str, wanted: Sequence[FilterTest], page: tuple[int, int]
) -> tuple[list[RunRecord], str | None]:
    """Read rows until a page is full; a token holds how many rows of the store were read."""
    (offset, most), found = page, list[RunRecord]()
    while True:
        rows = _find(desk, text, order, limit=most + 1, offset=offset)
        datasets = _datasets(desk, rows, wanted)
        for place, run in enumerate(rows):
            if len(found) == most:
                return found, write_token(offset + place)
            read = _reader(desk, run, datasets.get(run.run_id, []))
            if all(grammar.matches(comparison, read) for comparison in wanted):
                found.append(run)
        if len(rows) <= most:
            return found, None
        offset += len(rows)


def _find(desk: Desk, text: str, order: str, *, limit: int, offset: int) -> list[RunRecord]:
    while True:
        try:
            return desk.metadata.runs.search(text, order_by=order, limit=limit, offset=offset)
        except ParameterError as error:
            # A name that no run has orders nothing, which MLflow does not mind.
            name = getattr(error, "name", None)
            terms = order.split(", ")
            kept = [t for t in terms if name is None or f".{_quoted(str(name))} " not in f"{t} "]
            if len(kept) == len(terms):
                raise
            order = ", ".join(kept)


def _condition(comparison: FilterTest) -> str:
    """Return a condition of the store's filter that all runs meant meet; or nothing."""
    sign, value = comparison.sign, comparison.value
    match comparison.group:
        case "metrics":
            return f"metrics.{_quoted(comparison.name)} {sign} {value!r}"
        case "params":
            return _text_condition(f"params.{_quoted(comparison.name)}", sign, value)
        case "tags" if comparison.name != NAME_TAG:
            return _text_condition(f"tags.{_quoted(comparison.name)}", sign, value)
        case "attributes":
            return _attribute_condition(comparison)
    return ""


def _text_condition(field: str, sign: str, value: Any) -> str:
    match sign:
        case "IS NULL" | "IS NOT NULL":
            return f"{field} {sign.lower()}"
        case "=":
            return f"{field} = {quote(value)}"
        case "LIKE" | "ILIKE" if value.isascii():
            return f"{field} like {quote(value)}"
    return f"{field} is not null"


def _attribute_condition(comparison: FilterTest) -> str:
    name, sign, value = comparison.name, comparison.sign, comparison.value
    if name == "run_id" and sign in {"=", "IN"}:
        values = [value] if sign == "=" else value
        return f"run_id in ({_list(values)})"
    if name == "run_name" and sign == "=":
        return f"name = {quote(value)}"
    if name == "status" and sign == "=" and value in _STATUS:
        return f"state = {quote(_STATUS[value])}"
    return ""


def _order(term: SortTerm) -> str:
    direction = "desc" if term.descending else "asc"
    if term.group == "attributes":
        return f"{_ORDERS.get(term.name, 'run_id')} {direction}"
    return f"{term.group}.{_quoted(term.name)} {direction}"


def _quoted(name: str) -> str:
    mark = "`" if "`" not in name else '"'
    return f"{mark}{name}{mark}"


def _datasets(
    desk: Desk, rows: Sequence[RunRecord], wanted: Sequence[FilterTest]
) -> dict[str, list[Any]]:
    if not any(comparison.group == "datasets" for comparison in wanted):
        return {}
    found: dict[str, list[Any]] = {}
    for document in desk.metadata.documents.list(INPUT, owners=[run.run_id for run in rows]):
        found.setdefault(document.owner, []).append(document.body)
    return found


def _reader(desk: Desk, run: RunRecord, datasets: Sequence[Any]) -> Any:
    def read(group: str, name: str) -> Any:
        match group:
            case "metrics":
                return run.metrics[name].last if name in run.metrics else None
            case "params":
                return param_text(run.params[name]) if name in run.params else None
            case "tags":
                return run.tags.get(name, run.name if name == NAME_TAG else None)
            case "datasets":
                return [v for each in datasets for v in _dataset_values(each, name)] or None
        return _attribute(desk, run, name)

    return read


def _attribute(desk: Desk, run: RunRecord, name: str) -> Any:
    match name:
        case "run_id":
            return run.run_id
        case "run_name":
            return run.name
        case "user_id":
            return run.user
        case "status":
            return STATUS[run.state]
        case "start_time":
            return to_ms(run.started_at or run.created_at)
        case "end_time":
            return to_ms(run.ended_at)
    return f"{desk.scheme}:/{desk.number(run.experiment)}/{run.run_id}/artifacts"


def _dataset_values(entry: Any, name: str) -> list[str]:
    if name == "context":
        return [tag["value"] for tag in entry["tags"] if tag["key"] == "mlflow.data.context"]
    return [value] if (value := entry["dataset"].get(name)) is not None else []
