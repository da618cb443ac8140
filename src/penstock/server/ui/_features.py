"""The pages of feature views: the list, and a view with features, versions and users."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from penstock import features
from penstock.core import NotFoundError, PenstockError, SettingsError
from penstock.lineage import list_view_users
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

if TYPE_CHECKING:
    from penstock.core import ModelVersionRecord
    from penstock.features import FeatureStore, FeatureView
    from penstock.features.online import Freshness

_MOST_COMMITS = 50


def features_page(site: Site, query: Query) -> Page:  # noqa: ARG001 - a page's form
    """List the feature views of the project."""
    store = _feature_store(site)
    shown = [_about(site, store, view) for view in store.list_views()] if store else []
    data = [{name: each[name] for name in _FACTS} for each in shown]
    return Page("features.html", "Feature views", {"views": data}, {"shown": shown}, section="data")


def feature_page(site: Site, query: Query, name: str) -> Page:  # noqa: ARG001 - a page's form
    """Show a feature view: features, freshness, versions, and the models that use the view.

    Raises:
        NotFoundError: If there is no such view.
    """
    store = _feature_store(site)
    if store is None:
        raise NotFoundError(
            what=f"There is no feature view {name!r}.",
            why="The store's artifacts are in a bucket, and no folder of feature views is known.",
            fix="Give their URL by --path to penstock features show.",
        )
    view = store.get_view(name)
    about = _about(site, store, view)
    commits = store.history(name).list_commits(_MOST_COMMITS)
    data = {
        **{fact: about[fact] for fact in _FACTS},
        "definition": view.describe(),
        "versions": commits,
    }
    described = view.describe()
    columns = [
        *((key, dtype, "key") for key, dtype in described["entity"]["keys"].items()),
        *((feature, dtype, "feature") for feature, dtype in described["features"].items()),
    ]
    known = view.available_at
    shown = {
        "about": about,
        "columns": columns,
        "commits": commits,
        "used": _uses(about["users"], name),
        "available": _duration(known) if isinstance(known, timedelta) else known,
        "materialize": f"penstock features materialize {name}",
        "get": f"penstock features get {name} "
        + " ".join(f"{key}=VALUE" for key in view.key_columns),
    }
    return Page("feature.html", f"Feature view {name}", data, shown, section="data")


_FACTS = (
    "name", "entity", "keys", "features", "description", "version", "online", "rows_behind",
    "lag_s", "problem", "models",
)  # fmt: skip


def _feature_store(site: Site) -> "FeatureStore | None":
    try:
        return features.FeatureStore(store=site.store)
    except SettingsError:  # the artifacts are in a bucket: no place is known
        return None


def _about(site: Site, store: "FeatureStore", view: "FeatureView") -> dict[str, Any]:
    users = list_view_users(view.name, store=site.store)
    try:
        fresh, problem = store.freshness(view.name), ""
    except PenstockError as error:  # the online store does not respond: the history is shown
        newest = store.history(view.name).version().version
        fresh = features.online.Freshness(view.name, None, newest, 0, timedelta(0))
        problem = error.what
    return {
        "name": view.name,
        "entity": view.entity.name,
        "keys": list(view.key_columns),
        "features": list(view.feature_names),
        "description": view.description,
        "digest": view.digest,
        "ttl": _duration(view.ttl) if isinstance(view.ttl, timedelta) else "",
        "as_of": view.as_of,
        "version": fresh.newest,
        "online": fresh.online,
        "rows_behind": fresh.rows,
        "lag_s": fresh.lag.total_seconds(),
        "problem": problem,
        "state": _state(fresh, problem),
        "models": [version.ref for version in users],
        "users": users,
    }


def _state(fresh: "Freshness", problem: str) -> tuple[str, str]:
    """Return icon and words of how the online store stands to the history."""
    if problem:
        return "failed", "unreachable"
    if fresh.online is None:
        return "none", "not online"
    return ("drifted", "behind") if fresh.rows else ("passed", "equal")


def _uses(users: "list[ModelVersionRecord]", name: str) -> list[dict[str, Any]]:
    """Return for each model version the features taken of a view."""
    return [
        {**each, "trained_on": each.get("version"), "version": version}
        for version in users
        for part in ("views", "on_demand")
        for each in version.signature["features"][part]
        if each["view"]["name"] == name
    ]


def _duration(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "0 seconds" if not span else str(span)
