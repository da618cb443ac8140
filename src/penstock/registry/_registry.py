"""Registry: the doors to a model version's life; rules and plans stand in the files beside it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock.core import (
    ApprovalRecord,
    ConflictError,
    Edge,
    GateError,
    GateResult,
    ModelVersionRecord,
    ParameterError,
    Stage,
    StageEvent,
    current_actor,
    now,
    require_name,
)
from penstock.models import Signature, SignatureChanges, require_safe
from penstock.registry._audit import verify_events
from penstock.registry._card import current_card, render_card
from penstock.registry._compatibility import signature_changes
from penstock.registry._effects import end_rollouts, require_unserved
from penstock.registry._history import ProductionAt, production_at, read_time
from penstock.registry._judgement import judge_gates, judge_version
from penstock.registry._moves import (
    move,
    plan_production,
    require_alone,
    require_expected,
    require_move,
    rollback_target,
)
from penstock.registry._moving import Moves, make_moves
from penstock.registry._references import find_version, in_stage, newest_candidate
from penstock.registry._requirements import (
    describe_force,
    require_other_person,
    require_ready,
)
from penstock.stores import STORE_HISTORY

if TYPE_CHECKING:
    from penstock.stores import Store

# Named here because inside the class ``list`` is the method.
Versions: TypeAlias = list[ModelVersionRecord]
Events: TypeAlias = list[StageEvent]
Approvals: TypeAlias = list[ApprovalRecord]

_ATTEMPTS = 10  # of a move whose versions were touched (a gate judged, an approval) meanwhile


class Registry:
    """Model versions: numbered, judged, approved, promoted, rolled back; nothing is rewritten.

    Threads and processes: any number may use one store at once. A move sees the revision of
    every version it touches; if someone else changed the production version in between, nothing
    happens and a ConflictError says so.

    Args:
        store: Where versions and their models are kept.
    """

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._metadata = store.metadata

    def register(
        self,
        model_name: str,
        estimator: Any,
        *,
        signature: Signature | Mapping[str, Any],
        report: Any = None,
        profile: Any = None,
        metrics: Mapping[str, float] | None = None,
        gates: Sequence[GateResult] = (),
        run_id: str | None = None,
        trained_by: str | None = None,
        card: str | None = None,
        note: str = "",
        provenance: Mapping[str, Any] | None = None,
        actor: str | None = None,
    ) -> ModelVersionRecord:
        """Give a fitted estimator the next number under a name.

        The same model of the same run is registered once; repeating gives that version back.

        Args:
            model_name: Letters, digits, ``.``, ``_`` and ``-``.
            estimator: Fitted scikit-learn, xgboost or lightgbm estimator.
            signature: What it takes and gives, see penstock.models.infer_signature.
            report: Its EvaluationReport.
            profile: Profile of the training rows, the reference for drift.
            metrics: Headline metrics by name; by default those of the report.
            gates: Answers of its gates.
            run_id: The run that made it.
            trained_by: Who trained it; by default the run's user, else the actor.
            card: Model card as Markdown; by default one is written from the recorded facts.
            note: What it is meant for, Markdown.
            provenance: Facts for the card, see penstock.models.model_card.
            actor: Who registers; by default the user of this process.

        Raises:
            ParameterError: If the name is not legal.
            SerializationError: If the estimator cannot be stored in a format that cannot run code.
            NotFoundError: If there is no such run.
        """
        require_name(model_name, "model")
        who = actor or current_actor()
        artifacts = self._store.pack(estimator)
        model = require_safe(artifacts[0])
        self._metadata.artifacts.add(artifacts)
        form = signature if isinstance(signature, Mapping) else signature.to_json()
        version = ModelVersionRecord(
            model=model_name,
            version=0,
            stage=Stage.NONE,
            run_id=run_id,
            trained_by=trained_by or self._trainer(run_id) or who,
            artifact=model.digest,
            content_digest=model.content_digest,
            created_at=now(),
            report=self._put(report),
            profile=self._put(profile),
            signature=form,
            metrics=_headline(metrics, report),
            gates=tuple(gates),
            note=note,
        )
        made = self._metadata.models.create_version(version, actor=who)
        if made.card is not None:
            return made
        self._add_lineage(made)
        text = card or render_card(self._store, made, report, provenance)
        return self._change(made, card=self._store.put(text).digest)

    def list(self, model: str | None = None) -> Versions:
        """List a model's versions by number, or every model's.

        Raises:
            NotFoundError: If there is no such model.
        """
        models = self._metadata.models.list() if model is None else [model]
        return [version for name in models for version in self._metadata.models.list_versions(name)]

    def get(self, model: str, version: int | str | None = None) -> ModelVersionRecord:
        """Get a version.

        Args:
            model: The model's name.
            version: Its number, ``champion`` (= ``production``), ``challenger`` (= ``staging``: the
                newest there), ``latest``, or None for the newest that is not rejected.

        Raises:
            NotFoundError: If there is none.
        """
        return find_version(self._metadata.models.list_versions(model), version)

    def champion(self, model: str) -> ModelVersionRecord | None:
        """Get the production version; None if there is none or no such model yet."""
        return self._in_stage(model, Stage.PRODUCTION)

    def challenger(self, model: str) -> ModelVersionRecord | None:
        """Get the newest version in staging; None if there is none or no such model yet."""
        return self._in_stage(model, Stage.STAGING)

    def newest_candidate(self, model: str) -> ModelVersionRecord:
        """Get the newest version that nobody has promoted, archived or rejected yet.

        Raises:
            NotFoundError: If there is none.
        """
        return newest_candidate(self._metadata.models.list_versions(model))

    def card(self, model: str, version: int | str | None = None) -> str:
        """Read a version's model card, Markdown; its stage, gates and approvals are those of now.

        Raises:
            NotFoundError: If there is no such version.
        """
        record = self.get(model, version)
        if not record.card:
            return ""
        approvals = self._metadata.models.list_approvals(model, record.version)
        return current_card(str(self._store.get(record.card)), record, approvals)

    def record_gates(
        self, model: str, version: int, gates: Sequence[GateResult], *, actor: str | None = None
    ) -> ModelVersionRecord:
        """Store a version's gates as judged elsewhere; the history tells who did and what changed.

        Where the version has a report, ``promote`` judges it again and takes nobody's word.

        Raises:
            NotFoundError: If there is no such version.
            ParameterError: If a declared gate is missing: gates cannot be erased.
        """
        return self._change(self.get(model, version), actor=actor, gates=tuple(gates))

    def judge(self, model: str, version: int | str | None = None) -> ModelVersionRecord:
        """Judge a version's gates as of now, against today's champion and with the proofs known.

        Args:
            model: The model's name.
            version: As in ``get``.

        Returns:
            The version with its new answers, already stored.

        Raises:
            NotFoundError: If there is no such version.
        """
        return judge_version(self._store, self.get(model, version))

    def compare_signatures(self, model: str, version: int | str | None = None) -> SignatureChanges:
        """Compare what a version takes and answers with the production version.

        Args:
            model: The model's name.
            version: As in ``get``.

        Returns:
            What callers would notice; empty if nothing is in production.

        Raises:
            NotFoundError: If there is no such version.
        """
        return signature_changes(self.champion(model), self.get(model, version))

    def require_promotable(
        self, model: str, version: int | None = None, *, accept_changes: bool = False
    ) -> ModelVersionRecord:
        """Judge a version as of now, and make sure that it may go to production.

        Whoever sends traffic to a version that is to be promoted later asks this first, with the
        same rules as ``promote``.

        Args:
            model: The model's name.
            version: Its number; None for the newest that is neither in production nor was.
            accept_changes: Whether it may refuse requests that the production version answers.

        Returns:
            The version, with its new answers.

        Raises:
            GateError: If a gate did not pass, nobody else approved, or callers would break, with
                every reason.
            ConflictError: If the version cannot move to production.
            NotFoundError: If there is none.
        """
        record = self.newest_candidate(model) if version is None else self.get(model, version)
        require_move(record, Stage.PRODUCTION, self.history(model))
        record = judge_version(self._store, record)
        approvals = self.approvals(model, record.version)
        changes = () if accept_changes else signature_changes(self.champion(model), record).breaking
        require_ready(record, approvals, single_user=self._store.single_user, changes=changes)
        return record

    def approve(
        self, model: str, version: int, *, approver: str | None = None, reason: str
    ) -> ApprovalRecord:
        """Say yes to a version, and only to this version.

        Args:
            model: The model's name.
            version: Its number.
            approver: Who says yes; by default the user of this process.
            reason: Why.

        Raises:
            GateError: If the approver trained it, in a team's store.
            ConflictError: If it is rejected.
            ParameterError: If the reason is empty.
        """
        record = self.get(model, version)
        who = (approver or current_actor()).strip()
        if not self._store.single_user:
            require_other_person(record, who)
        if record.stage is Stage.REJECTED:
            require_move(record, Stage.PRODUCTION)
        text = _given(reason, "An approval")
        yes = ApprovalRecord(record.model, record.version, who, True, text, now())
        self._metadata.models.add_approval(yes)
        return yes

    def reject(
        self, model: str, version: int, *, reason: str, actor: str | None = None
    ) -> ModelVersionRecord:
        """Say no to a version, for good: it never answers requests again.

        A rollout of it ends in the same transaction, and its traffic goes back. An archived
        version that was in production is in quarantine then: no rollback brings it back.

        Raises:
            ConflictError: If it is in production or rejected already.
            ParameterError: If the reason is empty.
        """
        text, who = _given(reason, "A rejection"), actor or current_actor()
        no = ApprovalRecord(model, version, who, False, text, now())
        return self._take_out(model, version, Stage.REJECTED, who, text, (no,))

    def approvals(self, model: str, version: int) -> Approvals:
        """List who said yes or no to a version, oldest first.

        Raises:
            NotFoundError: If there is no such version.
        """
        return self._metadata.models.list_approvals(model, self.get(model, version).version)

    def promote(
        self,
        model: str,
        version: int | str | None = None,
        *,
        to: Stage = Stage.PRODUCTION,
        actor: str | None = None,
        reason: str = "",
        force_reason: str | None = None,
        accept_changes: str | None = None,
    ) -> ModelVersionRecord:
        """Move a version to production, or to staging.

        The one way in: the command, steps, rollouts and deployments all end here, and the gates
        are judged here, as of now. What is in production goes to the archive in the same
        transaction. In a single-user store the promoter's yes is recorded with the move.

        Args:
            model: The model's name.
            version: As in ``get``.
            to: ``Stage.PRODUCTION`` or ``Stage.STAGING``.
            actor: Who promotes; by default the user of this process.
            reason: Why.
            force_reason: Why gates that did not pass are overruled; stays in the history.
            accept_changes: Why the version may refuse requests that the production version
                answers (see ``compare_signatures``); stays in the history.

        Raises:
            GateError: If a gate did not pass, nobody else approved, or callers would break, with
                every reason.
            ConflictError: If the move is not allowed, or someone else was first.
            NotFoundError: If there is no such version.
        """
        who = actor or current_actor()
        if to is Stage.STAGING:
            return self._move_alone(model, self.get(model, version).version, to, who, reason)
        if to is not Stage.PRODUCTION:
            raise ParameterError(
                what=f"A version is not promoted to {to.value}.",
                fix="Promote to staging or production; use archive or reject for the others.",
            )

        judged: dict[tuple[int, int | None], tuple[GateResult, ...]] = {}

        def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
            target, champion = (
                find_version(versions, version),
                in_stage(versions, Stage.PRODUCTION),
            )
            require_move(target, to, self.history(model))
            against = (target.revision, champion.version if champion else None)
            if against not in judged:
                judged[against] = judge_gates(self._store, target, champion)
            target = replace(target, gates=judged[against])
            changes = signature_changes(champion, target).breaking
            approvals = self._require_ready(
                target,
                who,
                reason,
                force=bool(force_reason),
                changes=() if accept_changes else changes,
            )
            why = describe_force(target, reason, force_reason, (changes, accept_changes))
            events = plan_production(versions, target, actor=who, reason=why, at=now())
            return Moves(events, {target.version: target.gates}, approvals)

        return make_moves(self._metadata, model, plan)

    def archive(
        self, model: str, version: int, *, actor: str | None = None, reason: str = ""
    ) -> ModelVersionRecord:
        """Take a version out of use; a rollout of it ends in the same transaction.

        The production version can only be archived while no deployment answers with it.

        Raises:
            ConflictError: If it is archived or rejected already, or a deployment answers with it.
        """
        return self._take_out(model, version, Stage.ARCHIVED, actor or current_actor(), reason)

    def rollback(
        self,
        model: str,
        *,
        to: int | None = None,
        actor: str | None = None,
        reason: str = "",
        expected: int | None = None,
    ) -> ModelVersionRecord:
        """Put the version that was in production before back; twice returns to the start.

        It was judged and approved when it was promoted, so nothing is asked again: a gate against
        the champion would compare it with what is failing. Rejected versions are passed over.
        Two people who see the same alert do not roll back twice: within a minute of another
        rollback, ``expected`` or ``to`` must be given.

        Args:
            model: The model's name.
            to: Another earlier production version.
            actor: Who rolls back; by default the user of this process.
            reason: Why.
            expected: The version that is to go. An automatic caller names it, so that two at
                once do not roll back twice.

        Raises:
            ConflictError: If there is nothing to go back to, another version than ``expected``
                is in production, or another rollback was made a moment ago.
            ParameterError: If ``to`` was never in production.
            NotFoundError: If there is no such model or version.
        """
        who, why = actor or current_actor(), reason or "Rolled back."

        def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
            champion = in_stage(versions, Stage.PRODUCTION)
            events, at = self.history(model), now()
            require_expected(model, champion, expected)
            if expected is None and to is None:
                require_alone(champion, events, at)
            target = rollback_target(versions, events, to)
            return Moves(plan_production(versions, target, actor=who, reason=why, at=at))

        return make_moves(self._metadata, model, plan)

    def history(self, model: str, at: str | datetime | None = None) -> Events:
        """List what happened to the model's versions, oldest first, up to a time if one is given.

        An event that leads from a stage to the same one is no move: a version was registered, its
        gates were judged, or someone approved it.

        Raises:
            NotFoundError: If there is no such model.
            ParameterError: If ``at`` is no time.
        """
        events = self._metadata.models.list_stage_events(model)
        if not events:
            self._metadata.models.list_versions(model)
        return events if at is None else [event for event in events if event.at <= read_time(at)]

    def production_at(self, model: str, at: str | datetime) -> ProductionAt:
        """Say which version was in production at a time, who put it there and who approved.

        Args:
            model: The model's name.
            at: A time; ISO text without a zone is UTC.

        Raises:
            NotFoundError: If there is no such model.
            ParameterError: If ``at`` is no time.
        """
        moment, events = read_time(at), self.history(model)
        found = production_at(model, moment, events, ())
        if found.version is None:
            return found
        approvals = self._metadata.models.list_approvals(model, found.version)
        return production_at(model, moment, events, approvals)

    def store_history(self) -> Events:
        """List who changed the store's settings on which promotions depend, oldest first."""
        return self._metadata.models.list_stage_events(STORE_HISTORY)

    def verify_history(self, model: str) -> int | None:
        """Check the hash chain of a model's history.

        Returns:
            The position (from 0) of the first event that is not as it was written; None if all are.

        Raises:
            NotFoundError: If there is no such model.
        """
        return verify_events(self.history(model))

    def _in_stage(self, model: str, stage: Stage) -> ModelVersionRecord | None:
        if model not in self._metadata.models.list():
            return None
        return in_stage(self._metadata.models.list_versions(model), stage)

    def _trainer(self, run_id: str | None) -> str:
        return self._metadata.runs.get(run_id).user if run_id else ""

    def _put(self, value: Any) -> str | None:
        if value is None:
            return None
        if not hasattr(value, "bundle_type") and hasattr(value, "to_json"):
            value = value.to_json()
        return self._store.put(value).digest

    def _add_lineage(self, version: ModelVersionRecord) -> None:
        node = f"version:{version.ref}"
        edges = [Edge(f"artifact:{version.content_digest}", node, "model")]
        if version.report is not None:
            report = self._metadata.artifacts.get(version.report)
            edges.append(Edge(f"artifact:{report.content_digest}", node, "report"))
        self._metadata.artifacts.add_edges(edges)

    def _change(
        self, version: ModelVersionRecord, *, actor: str | None = None, **changes: Any
    ) -> ModelVersionRecord:
        """Change what is not part of a version's identity; whoever else changed it, too."""
        for attempt in range(_ATTEMPTS):
            try:
                return self._metadata.models.update_version(
                    version.model,
                    version.version,
                    expected_revision=version.revision,
                    actor=actor,
                    **changes,
                )
            except ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                version = self._metadata.models.get_version(version.model, version.version)
        raise AssertionError("unreachable")

    def _require_ready(
        self,
        version: ModelVersionRecord,
        actor: str,
        reason: str,
        *,
        force: bool,
        changes: Sequence[str],
    ) -> tuple[ApprovalRecord, ...]:
        """Make sure that a version may be promoted; give the promoter's own yes if it counts."""
        single, given = self._store.single_user, self.approvals(version.model, version.version)
        try:
            require_ready(version, given, single_user=single, force=force, changes=changes)
        except GateError:
            self._change(version, actor=actor, gates=version.gates)  # why, for whoever looks later
            raise
        if not single or any(approval.approved for approval in given):
            return ()
        text = reason or "Promoted in a single-user store."
        yes = ApprovalRecord(version.model, version.version, actor, True, text, now())
        return (yes,)

    def _take_out(
        self,
        model: str,
        version: int,
        to: Stage,
        actor: str,
        reason: str,
        approvals: Sequence[ApprovalRecord] = (),
    ) -> ModelVersionRecord:
        def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
            target, at = find_version(versions, version), now()
            require_move(target, to)
            deployments = self._metadata.deployments.list()
            require_unserved(target, deployments)
            champion = in_stage(versions, Stage.PRODUCTION)
            ended = end_rollouts(
                deployments,
                target,
                production=champion.version if champion else None,
                reason=f"{target.ref} was {to.value} by {actor}{f': {reason}' if reason else '.'}",
                at=at,
            )
            return Moves([move(target, to, actor, reason, at)], {}, approvals, ended)

        return make_moves(self._metadata, model, plan)

    def _move_alone(
        self, model: str, version: int, to: Stage, actor: str, reason: str
    ) -> ModelVersionRecord:
        def plan(versions: Sequence[ModelVersionRecord]) -> Moves:
            target = find_version(versions, version)
            require_move(target, to)
            return Moves([move(target, to, actor, reason, now())])

        return make_moves(self._metadata, model, plan)


def _headline(metrics: Mapping[str, float] | None, report: Any) -> dict[str, float]:
    if metrics is None:
        found = getattr(report, "metrics", None) or {}
        metrics = {name: estimate.value for name, estimate in found.items()}
    plain = {name: float(value) for name, value in metrics.items()}
    return {name: value for name, value in plain.items() if math.isfinite(value)}


def _given(reason: str, what: str) -> str:
    if reason.strip():
        return reason.strip()
    raise ParameterError(
        what=f"{what} needs a reason.",
        why="Whoever reads the history asks why.",
        fix="Give one with --reason, or reason=….",
    )
