"""``export_model``: a model with its deployment in the form of a serving platform."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from penstock.core import require_choice
from penstock.exporters._bentoml import export_bentoml
from penstock.exporters._exported import Exported
from penstock.exporters._kserve import export_kserve
from penstock.exporters._model_plan import ModelPlan, plan_model
from penstock.exporters._plan import image_of
from penstock.exporters._ray_serve import export_ray_serve
from penstock.stores import Store, open_store

ServingPlatform = Literal["kserve", "ray-serve", "bentoml"]
SERVING_PLATFORMS: tuple[str, ...] = get_args(ServingPlatform)
_EXPORTERS: Mapping[str, Callable[[ModelPlan], Exported]] = {
    "kserve": export_kserve,
    "ray-serve": export_ray_serve,
    "bentoml": export_bentoml,
}


def export_model(
    name: str,
    *,
    to: ServingPlatform,
    image: str | None = None,
    anonymous: bool = False,
    store: Store | str | None = None,
) -> Exported:
    """Return a deployed model as a file for a serving platform, which starts model servers.

    The platform's pods, replicas or workers are model servers as `penstock serve` starts them:
    version, traffic policy, prediction log and features are in the store that the platform's secret
    names, so that a promotion or a rollout needs no new export.

    ```python
    exported = export_model("fraud", to="kserve", image="registry/fraud:1")
    Path("fraud.yaml").write_text(exported.text)
    ```

    Args:
        name: The deployment, or a model with a version in production.
        to: The platform.
        image: Container image with the project, for KServe; by default named after the model.
        anonymous: Whether every caller is answered: behind a gateway of yours
            that knows its callers.
        store: The store of the deployment or model; by default the project's.

    Raises:
        NotFoundError: If there is no such deployment or model, or no version is in production.
        ParameterError: If the platform is unknown or cannot use the name.
    """
    require_choice("to", to, SERVING_PLATFORMS)
    plan = plan_model(
        name, image=image_of(name, image or ""), anonymous=anonymous, store=open_store(store)
    )
    return _EXPORTERS[to](plan)
