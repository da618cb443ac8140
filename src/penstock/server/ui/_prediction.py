"""The page of a prediction: the trace back to rows, code and environment, as sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import NotFoundError
from penstock.lineage import Lineage, get_lineage
from penstock.server.ui._format import number
from penstock.server.ui._page import Page, Query, node_link, path_link
from penstock.server.ui._reports import headline
from penstock.server.ui._site import Site


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the chain.

    Args:
        kind: Name of icon and colour.
        lead: The sentence's beginning, before the name.
        name: Name of the thing described, in bold.
        rest: The sentence's end.
        link: The page of the thing described; may be empty.
        facts: Facts to list below.
    """

    kind: str
    lead: str
    name: str
    rest: str
    link: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def prediction_page(site: Site, query: Query, prediction_id: str) -> Page:  # noqa: ARG001 - form
    """Show the origin of a prediction.

    Raises:
        NotFoundError: If there is no such prediction.
    """
    prediction = site.metadata.predictions.get(prediction_id)
    node, lost = f"prediction:{prediction.prediction_id}", ""
    try:
        lineage = get_lineage(node, store=site.store)
    except NotFoundError as error:
        # The deployment and version may be deleted; the predicted row is still known.
        lineage, lost = Lineage(node, "up", prediction=prediction), str(error)
    data = {"prediction": prediction, "lineage": lineage.to_json()}
    view = {"chain": _chain(lineage), "lost": lost}
    title = f"Prediction {prediction.prediction_id}"
    return Page("prediction.html", title, data, view, section="deployments")


def _chain(lineage: Lineage) -> list[Link]:
    looked_up = (lineage.prediction.features or {}) if lineage.prediction else {}
    links: list[Link | None] = [_feature_link(*each) for each in looked_up.items()]
    links += [_version_link(lineage), _run_link(lineage), _split_link(lineage)]
    links += [_source_link(source) for source in lineage.sources]
    links += [_code_link(lineage), _environment_link(lineage)]
    return [link for link in links if link]


def _feature_link(view: str, lookup: Mapping[str, Any]) -> Link:
    if "key" not in lookup:
        return Link("view", "Computed on demand by", view, "", "", dict(lookup["values"]))
    key = ", ".join(f"{name}={value}" for name, value in lookup["key"].items())
    facts = {
        **lookup["values"],
        "Event time": lookup.get("event_time"),
        "Known since": lookup.get("available_at"),
        "Version": lookup.get("version"),
        "Status": lookup.get("status"),
    }
    page = path_link("features", view)
    if not lookup["values"]:
        return Link("view", "Sent with the request, not looked up in", view, f"by {key}", page, {})
    return Link("view", "Looked up in feature view", view, f"by {key}", page, _known(facts))


def _version_link(lineage: Lineage) -> Link | None:
    version = lineage.version
    if version is None:
        return None
    page = path_link("models", version.model) + f"?version={version.version}"
    facts = {"Stage": version.stage.value, "Model digest": version.content_digest}
    facts |= {name: number(value) for name, value in headline(version.metrics).items()}
    return Link("version", "Predicted by model", version.ref, "", page, facts)


def _run_link(lineage: Lineage) -> Link | None:
    run = lineage.run
    if run is None:
        return None
    facts = {"Pipeline": run.pipeline, "Started by": run.user, "On": run.host, "Seed": run.seed}
    page = path_link("runs", run.run_id)
    return Link("run", "trained in run", run.name, "", page, {**facts, **run.params})


def _split_link(lineage: Lineage) -> Link | None:
    split = lineage.split
    if not split:
        return None
    rows = split["rows"]
    parts = ", ".join(f"{part} {count:,}" for part, count in rows.items()).replace(",", "\u2009")
    facts = {
        "Target": split["target"],
        "By time": split.get("by_time"),
        "By group": split.get("by_group"),
    }
    train = f"{rows.get('train', 0):,} rows".replace(",", "\u2009")
    rest = f"of a split into {parts.replace(chr(0x2009) + ' ', ', ')}"
    page = node_link(f"artifact:{split['digest']}")
    return Link("artifact", "fitted on", train, rest, page, _known(facts))


def _source_link(source: Mapping[str, Any]) -> Link:
    rows = f"{source['rows']:,}".replace(",", "\u2009")
    facts = {
        "First row": source.get("first_time"),
        "Last row": source.get("last_time"),
        "Cutoff": source.get("cutoff"),
        "Digest of the rows": source.get("ordered_digest"),
    }
    views = source.get("views")
    if views:  # rows of another source, joined with features
        page, text = node_link(views[0]), f"{rows} rows were joined with features of"
        return Link("view", text, source["source"], "", page, _known(facts))
    page = node_link(f"source:{source['source']}")
    return Link("source", f"{rows} rows were read from", source["source"], "", page, _known(facts))


def _code_link(lineage: Lineage) -> Link | None:
    code = lineage.code
    if not code or lineage.run is None:
        return None
    commit = code.get("commit")
    name = f"commit {commit[:12]}" if commit else "a source tree outside git"
    rest = "with uncommitted changes, which are kept" if code.get("dirty") else ""
    facts = {"Files kept": code.get("files")}
    page = path_link("runs", lineage.run.run_id) + "#provenance"
    return Link("code", "The code was", name, rest, page, _known(facts))


def _environment_link(lineage: Lineage) -> Link | None:
    environment = lineage.environment
    if not environment or lineage.run is None:
        return None
    page = path_link("runs", lineage.run.run_id) + "#provenance"
    rest = f"with {environment.get('packages', 0)} packages on {environment.get('platform', '')}"
    return Link("environment", "and it ran on", f"Python {environment.get('python')}", rest, page)


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
