"""FeatureInputs: which inputs of a model serving looks up in feature views, and by which keys.

Apart from feature views themselves: a signature only remembers their definitions as plain JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

MissingPolicy: TypeAlias = Literal["null", "refuse"]


@dataclass(frozen=True, slots=True)
class ViewInputs:
    """The features of a view that a model needs.

    Args:
        view: Definition of the view, a result of ``FeatureView.describe``.
        features: The features, inputs of the model or of on-demand views.
        table: Id of the Delta table of the training rows.
        version: Version of the history that was joined for training.
        path: Folder or URL of the feature store.
        missing: Treatment of a key without a value, or with an expired value: ``"null"`` or
            ``"refuse"``.
        options: Options of the object store that has the feature store; secrets as ``"${NAME}"``.
    """

    view: Mapping[str, Any]
    features: tuple[str, ...]
    table: str
    version: int
    path: str
    missing: MissingPolicy = "null"
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Name of the view."""
        return str(self.view["name"])

    @property
    def keys(self) -> tuple[str, ...]:
        """The key columns of the view's entity."""
        return tuple(self.view["entity"]["keys"])


@dataclass(frozen=True, slots=True)
class OnDemandInputs:
    """The features of an on-demand view that are inputs of a model.

    Args:
        view: Definition of the view, a result of ``OnDemandView.describe``.
        features: The features that are inputs of the model.
    """

    view: Mapping[str, Any]
    features: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the view."""
        return str(self.view["name"])

    @property
    def request(self) -> tuple[str, ...]:
        """Inputs of the view that come with the request."""
        return tuple(self.view["request"])


@dataclass(frozen=True, slots=True)
class FeatureInputs:
    """The inputs of a model that come from feature views.

    >>> view = {"name": "spend", "entity": {"name": "card", "keys": {"card_id": "Int64"}}}
    >>> inputs = FeatureInputs((ViewInputs(view, ("usual",), "", 3, "/features"),))
    >>> inputs.columns, inputs.request
    ({'usual': 'spend'}, ('card_id',))

    Args:
        views: Views to look up.
        on_demand: On-demand views to compute then.
    """

    views: tuple[ViewInputs, ...] = ()
    on_demand: tuple[OnDemandInputs, ...] = ()

    @property
    def columns(self) -> dict[str, str]:
        """The name of the view by column that a request may leave out."""
        stored = {name: each.name for each in self.views for name in each.features}
        return stored | {name: each.name for each in self.on_demand for name in each.features}

    @property
    def request(self) -> tuple[str, ...]:
        """Fields that requests have instead: keys, and inputs of on-demand views."""
        keys = [name for each in self.views for name in each.keys]
        return tuple(dict.fromkeys([*keys, *(n for each in self.on_demand for n in each.request)]))

    def to_json(self) -> dict[str, Any]:
        """Return the inputs as plain JSON."""
        return {
            "views": [
                {
                    "view": dict(each.view),
                    "features": list(each.features),
                    "table": each.table,
                    "version": each.version,
                    "path": each.path,
                    "missing": each.missing,
                    # Signatures of feature stores without options are as they always were.
                    **({"options": dict(each.options)} if each.options else {}),
                }
                for each in self.views
            ],
            "on_demand": [
                {"view": dict(each.view), "features": list(each.features)}
                for each in self.on_demand
            ],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "FeatureInputs":
        """Read the JSON of ``to_json``."""
        return cls(
            tuple(
                ViewInputs(
                    each["view"],
                    tuple(each["features"]),
                    each["table"],
                    each["version"],
                    each["path"],
                    each["missing"],
                    each.get("options", {}),
                )
                for each in document["views"]
            ),
            tuple(
                OnDemandInputs(each["view"], tuple(each["features"]))
                for each in document["on_demand"]
            ),
        )
