"""BentoML: a service that mounts a model server of penstock on the shared store.

Source: https://docs.bentoml.com/en/latest/build-with-bentoml/asgi.html.
"""

import re

from penstock.core import ParameterError
from penstock.exporters._exported import Exported
from penstock.exporters._model_plan import ModelPlan
from penstock.exporters._serving_text import callers_argument, module_name, serving_head
from penstock.exporters._text import fill

_LONGEST_NAME = 63  # of a Bento's tag


def export_bentoml(plan: ModelPlan) -> Exported:
    """Return a deployment as a Python file with a service of BentoML.

    Raises:
        ParameterError: If no name that BentoML takes can be made of the deployment's.
    """
    module, name = module_name(plan.name, "bentoml"), _service_name(plan.name)
    notes = [
        plan.traffic_note("worker", "BentoML itself sends each request to any worker"),
        (
            "/metrics, /livez and /readyz are BentoML's. /metrics shows the model server's figures too, and"
            " asks nobody for a token: keep it from other networks. Readiness is /v2/health/ready."
        ),
        (
            "The environment, or the Bento's image, needs penstock and the packages of the model."
            " --image is not used."
        ),
        *plan.store_notes("its workers", "no worker starts"),
    ]
    head = serving_head(
        plan,
        to="bentoml",
        engine="BentoML",
        start=f"bentoml serve {module}:ModelServer",
        where="of the process",
        notes=notes,
    )
    text = fill("bentoml.py.jinja", plan=plan, head=head, name=name, callers=callers_argument(plan))
    return Exported("bentoml", f"{module}.py", text, tuple(notes))


def _service_name(name: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if found and len(found) <= _LONGEST_NAME:
        return found
    raise ParameterError(
        what=f"No service of BentoML can be named after {name!r}.",
        why=f"BentoML takes names of lower case, digits and dashes, at most {_LONGEST_NAME}.",
        fix="Deploy under another name: penstock deploy MODEL --name OTHER",
        name=name,
    )
