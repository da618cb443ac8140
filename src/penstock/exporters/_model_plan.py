"""ModelPlan: what an exporter of a served model needs to know, read from the store; nothing is changed there."""

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.core import DeploymentRecord, NotFoundError, did_you_mean
from penstock.people import has_users
from penstock.serving import production_version
from penstock.stores import Store


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """A deployment to export.

    Args:
        name: The deployment, or a model in production, that `penstock serve` is given.
        image: Container image with the project.
        anonymous: Whether every caller is answered.
        has_users: Whether users of the store are seen from here.
        is_local: Whether the store is a file of this machine.
        traffic: The shares of the versions at present, for people.
    """

    name: str
    image: str
    anonymous: bool
    has_users: bool
    is_local: bool
    traffic: str

    def traffic_note(self, server: str, otherwise: str) -> str:
        """Return where the traffic policy is, since no platform splits requests as penstock does.

        Args:
            server: What the platform calls a server: ``pod``.
            otherwise: What the platform would do in the place of the policy.
        """
        return (
            f"The traffic policy is in the store, not in the file: each {server} assigns units to"
            f" versions by the deployment and judges rollouts, while {otherwise}. When exported:"
            f" {self.traffic}."
        )

    def notes(self) -> Iterator[str]:
        """Yield what a pod needs that no file can give it, a sentence each."""
        yield (
            f"The image {self.image} must have penstock and the packages of the model, as that of"
            " `penstock image` (--image)."
        )
        yield from self.store_notes("pods", "the pod does not start")

    def store_notes(self, servers: str, refusal: str) -> Iterator[str]:
        """Yield what the servers need of the store and of its users.

        Args:
            servers: The platform's servers, in the plural: ``pods``.
            refusal: What happens in a store without users: ``the pod does not start``.
        """
        if self.is_local:
            yield (
                f"The store here is a file of this machine: PENSTOCK_STORE must name a store that"
                f" {servers} reach and that has this model."
            )
        if self.anonymous:
            yield "Callers are asked for no token: a gateway of yours must know them (--anonymous)."
            return
        # With another role's token the server finds no users, and does not start.
        yield (
            "If PENSTOCK_STORE is http(s), PENSTOCK_TOKEN must be an admin's: the model"
            " server looks up the tokens of its callers. A database's URL needs no token."
        )
        if not self.has_users:
            yield (
                f"No users of the store are seen from here, and without users {refusal}:"
                " penstock users first, or --anonymous behind a gateway of yours."
            )


def plan_model(name: str, *, image: str, anonymous: bool, store: Store) -> ModelPlan:
    """Return the plan of a deployment, or of a model in production.

    Args:
        name: The deployment's or the model's name.
        image: Container image with the project.
        anonymous: Whether every caller is answered.
        store: The store of the deployment or model.

    Raises:
        NotFoundError: If there is neither, or no version is in production.
    """
    return ModelPlan(
        name=name,
        image=image,
        anonymous=anonymous,
        has_users=has_users(store=store),
        is_local=store.url.startswith("sqlite"),
        traffic=_traffic(name, store),
    )


def _traffic(name: str, store: Store) -> str:
    deployments = {record.name: record for record in store.metadata.deployments.list()}
    if name in deployments:
        return _shares(deployments[name])
    models = store.metadata.models.list()
    version = production_version(name, store=store) if name in models else None
    if version is not None:
        return f"version {version} 100 %"
    is_model = name in models
    raise NotFoundError(
        what=f"Model {name!r} has no version in production."
        if is_model
        else f"There is no deployment or model {name!r} in {store.url}.",
        why="A model server needs a version to answer with.",
        fix=f"Run: penstock promote {name}"
        if is_model
        else did_you_mean(name, [*deployments, *models])
        or "Run a pipeline with a register step, then: penstock promote MODEL",
        name=name,
    )


def _shares(record: DeploymentRecord) -> str:
    shares = ", ".join(
        f"version {version} {share:.4g} %"
        for version, share in sorted(
            (number, 100 * each) for number, each in record.weights.items()
        )
    )
    rollout = record.rollout
    if rollout is None or not rollout.is_open:
        return shares
    return f"{shares}; {rollout.policy} in steps of {', '.join(map(str, rollout.steps))} %"
