"""Ray Serve: an application whose replicas are model servers of penstock on the shared store.

Source: https://docs.ray.io/en/latest/serve/api/doc/ray.serve.ingress.html.
"""

from penstock.exporters._exported import Exported
from penstock.exporters._model_plan import ModelPlan
from penstock.exporters._serving_text import callers_argument, module_name, serving_head
from penstock.exporters._text import fill


def export_ray_serve(plan: ModelPlan) -> Exported:
    """Return a deployment as a Python file with an application of Ray Serve."""
    module = module_name(plan.name, "ray_serve")
    notes = [
        plan.traffic_note("replica", "Ray Serve would send requests to any replica by its load"),
        (
            "The nodes of the cluster need penstock, the packages of the model and this file: an"
            " image of theirs, or runtime_env in the Serve config. --image is not used."
        ),
        *plan.store_notes("its nodes", "no replica starts"),
    ]
    head = serving_head(
        plan,
        to="ray-serve",
        engine="Ray Serve",
        start=f"serve run {module}:app",
        where="of the nodes, or of runtime_env.env_vars in the Serve config",
        notes=notes,
    )
    text = fill("ray_serve.py.jinja", plan=plan, head=head, callers=callers_argument(plan))
    return Exported("ray-serve", f"{module}.py", text, tuple(notes))
