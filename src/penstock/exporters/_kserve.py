"""KServe: an InferenceService whose pods are model servers of penstock on the shared store.

Source: https://github.com/kserve/kserve, pkg/apis/serving/v1beta1.
"""

import re
from typing import Any

from penstock.core import ParameterError
from penstock.exporters._exported import Exported
from penstock.exporters._model_plan import ModelPlan
from penstock.exporters._text import comment, note_lines, plain_text, wrap_text
from penstock.exporters._yaml import to_yaml

_SECRET = "penstock"  # noqa: S105 - the secret's name
_PORT = 8080  # KServe's own, to which it sends requests
# KServe's rule; the services that it makes add "-predictor", and a host's label has 63 characters.
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_LONGEST_NAME = 63 - len("-predictor")


def export_kserve(plan: ModelPlan) -> Exported:
    """Return a deployment as a manifest of an InferenceService, protocol version 2.

    Raises:
        ParameterError: If no name that KServe takes can be made of the deployment's.
    """
    service = _service_name(plan.name)
    notes = [*_own_notes(plan, service), *plan.notes()]
    document = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": service},
        # Without a server nobody would judge a rollout, so it is not scaled to zero.
        "spec": {"predictor": {"minReplicas": 1, "containers": [_container(plan)]}},
    }
    text = comment(_head(plan, notes)) + to_yaml(document)
    return Exported("kserve", f"{service}.kserve.yaml", text, tuple(notes))


def _service_name(name: str) -> str:
    found = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if _NAME.match(found) and len(found) <= _LONGEST_NAME:
        return found
    raise ParameterError(
        what=f"No InferenceService can be named after {name!r}.",
        why=f"KServe takes names that begin with a letter and have at most {_LONGEST_NAME} of them.",
        fix="Deploy under another name: penstock deploy MODEL --name OTHER",
        name=name,
    )


def _own_notes(plan: ModelPlan, service: str) -> list[str]:
    traffic = plan.traffic_note(
        "pod",
        "KServe's canaryTrafficPercent, which is not set, would split requests by chance between"
        " images",
    )
    if service == plan.name:
        return [traffic]
    naming = (
        f"KServe takes no name like {plan.name}: the service is {service}, and in its paths the"
        f" model is {plan.name}, as in /v2/models/{plan.name}/infer."
    )
    return [traffic, naming]


def _head(plan: ModelPlan, notes: list[str]) -> list[str]:
    about = (
        f"{plan.name}: exported by `penstock export {plan.name} --to kserve`. Each pod is a model"
        " server that answers in Open Inference Protocol v2. Start it with: kubectl apply -f FILE."
        f" The store is that of the secret {_SECRET!r}, with PENSTOCK_STORE, PENSTOCK_ARTIFACTS and"
        " PENSTOCK_TOKEN as keys. A promotion or a rollout needs no new export."
    )
    return [*map(plain_text, wrap_text(about)), *note_lines(notes)]


def _container(plan: ModelPlan) -> dict[str, Any]:
    address = ["--host", "0.0.0.0", "--port", str(_PORT)]  # noqa: S104 - a pod's own network
    callers = ["--allow-remote", *(["--anonymous"] if plan.anonymous else [])]
    return {
        "name": "kserve-container",
        "image": plan.image,
        "command": ["penstock"],
        "args": ["serve", plan.name, *address, *callers],
        "envFrom": [{"secretRef": {"name": _SECRET}}],
        "env": [
            {"name": "PROTOCOL", "value": "v2"},
            {"name": "PENSTOCK_JOURNALS", "value": "/tmp/penstock"},  # noqa: S108 - of the pod alone
        ],
        # Knative takes no other names of ports than its own.
        "ports": [{"containerPort": _PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/v2/health/ready", failures=3),
        "livenessProbe": _probe("/v2/health/live", failures=6),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _probe(path: str, *, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": _PORT},
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
