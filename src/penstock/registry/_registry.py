"""Registry: the operations on model versions; rules and plans are in the modules beside this."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from penstock.core import (
    ApprovalRecord,
    ArtifactRecord,
    GateResult,
    ModelVersionRecord,
    ParameterError,
    Permission,
    Stage,
    StageEvent,
    current_actor,
    now,
    require_reason,
)
from penstock.hooks import delivers
from penstock.models import Model, SignatureChanges
from penstock.people import decide_as
from penstock.registry._approving import (
    ApprovalState,
    approval_state,
    find_registrant,
    get_approval_rules,
    new_approval,
)
from penstock.registry._audit import verify_events
from penstock.registry._card import current_card
from penstock.registry._changing import change_version
from penstock.registry._compatibility import signature_changes
from penstock.registry._history import ProductionAt, production_at, read_time
from penstock.registry._hub_card import render_hub_card
from penstock.registry._judgement import judge_version
from penstock.registry._moves import (
    require_move,
)
from penstock.registry._promoting import promote_to_production, roll_back_to
from penstock.registry._references import find_version, in_stage, newest_candidate
from penstock.registry._registering import register_version
from penstock.registry._removing import move_alone, take_out
from penstock.registry._requirements import (
    require_answering,
    require_other_person,
    require_ready,
)
from penstock.stores import STORE_HISTORY, open_store

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import Store

# Aliases, because inside the class ``list`` is the method.
Versions: TypeAlias = list[ModelVersionRecord]
Events: TypeAlias = list[StageEvent]
Approvals: TypeAlias = list[ApprovalRecord]


class Registry:
    """Registry of model versions: numbered, judged, approved, promoted, never rewritten.

    Threads and processes: any number may use a store at the same time. A move checks the revision
    of every changed version; if the production version was changed in between, nothing is
    moved and a ConflictError is raised.

    Args:
        store: Store of versions and their models; by default the project's.
    """

    def __init__(self, *, store: "Store | str | None" = None) -> None:
        self._store = open_store(store)
        self._metadata = self._store.metadata

    @delivers
    def register(
        self,
        model_name: str,
        model: Model,
        *,
        report: object = None,
        profile: object = None,
        metrics: Mapping[str, float] | None = None,
        gates: Sequence[GateResult] = (),
        run_id: str | None = None,
        trained_by: str | None = None,
        card: str | None = None,
        note: str = "",
        actor: str | None = None,
        stored: ArtifactRecord | None = None,
        onnx: bool = True,
        rows: "pl.DataFrame | None" = None,
    ) -> ModelVersionRecord:
        """Register a model as the next version under a name.

        The same model of the same run is registered once; a repeated call returns that version.

        Args:
            model_name: Letters, digits, ``.``, ``_`` and ``-``.
            model: A fitted scikit-learn, xgboost or lightgbm estimator with a signature, see
                penstock.models.infer_signature.
            report: EvaluationReport of the model.
            profile: Profile of the training rows, the reference for drift.
            metrics: Headline metrics by name; by default those of the report.
            gates: Results of the gates.
            run_id: Id of the run that made the model.
            trained_by: The trainer; by default the run's user, else the actor.
            card: Model card as Markdown; by default written from the recorded facts.
            note: Intended use, Markdown.
            actor: The actor; by default the user of this process.
            stored: Record of the estimator, if loaded from this store and is unchanged; it
                is not stored again then.
            onnx: Whether an ONNX form of the final estimator is tried, where penstock's extra ``onnx``
                is installed. The form answers requests if both forms agree; see
                penstock.models.OnnxForm.
            rows: Rows of the inputs on which the forms are compared; by default those of the report's
                holdout. Without rows the native form stays.

        Raises:
            ParameterError: If the name is not legal.
            SerializationError: If the estimator cannot be stored in a format that cannot run code.
            NotFoundError: If there is no such run.
        """
        return register_version(
            self._store,
            model_name,
            model,
            report=report,
            profile=profile,
            metrics=metrics,
            gates=gates,
            run_id=run_id,
            trained_by=trained_by,
            card=card,
            note=note,
            actor=actor or current_actor(),
            stored=stored,
            onnx=onnx,
            rows=rows,
        )

    def list(self, model: str | None = None) -> Versions:
        """List the versions of a model by number, or of every model.

        Raises:
            NotFoundError: If there is no such model.
        """
        models = self._metadata.models.list() if model is None else [model]
        return [version for name in models for version in self._metadata.models.list_versions(name)]

    def get(self, model: str, version: int | str | None = None) -> ModelVersionRecord:
        """Return a version.

        Args:
            model: The model's name.
            version: Version number, ``champion`` (= ``production``), ``challenger`` (= ``staging``:
                the newest there), ``latest``, or None for the newest that is not rejected.

        Raises:
            NotFoundError: If there is no such version.
        """
        return find_version(self._metadata.models.list_versions(model), version)

    def champion(self, model: str) -> ModelVersionRecord | None:
        """Return the production version; None if there is none or no such model yet."""
        return self._in_stage(model, Stage.PRODUCTION)

    def challenger(self, model: str) -> ModelVersionRecord | None:
        """Return the newest version in staging; None if there is none or no such model yet."""
        return self._in_stage(model, Stage.STAGING)

    def newest_candidate(self, model: str) -> ModelVersionRecord:
        """Return the newest version that has not been promoted, archived or rejected yet.

        Raises:
            NotFoundError: If there is no such version.
        """
        return newest_candidate(self._metadata.models.list_versions(model))

    def card(self, model: str, version: int | str | None = None) -> str:
        """Return a version's model card, Markdown, with the present stage, gates and approvals.

        Raises:
            NotFoundError: If there is no such version.
        """
        record = self.get(model, version)
        if not record.card:
            return ""
        approvals = self._metadata.models.list_approvals(model, record.version)
        return current_card(str(self._store.get(record.card)), record, approvals)

    def hub_card(self, model: str, version: int | str | None = None) -> str:
        """Return the card as a README for Hugging Face's Hub; what nobody wrote stays empty."""
        record = self.get(model, version)
        return render_hub_card(self._store, record, self.card(model, record.version))

    def record_gates(
        self, model: str, version: int, gates: Sequence[GateResult], *, actor: str | None = None
    ) -> ModelVersionRecord:
        """Store a version's gates as judged elsewhere; the history has the actor and the changes.

        If the version has a report, ``promote`` judges the gates again instead of trusting these.

        Raises:
            NotFoundError: If there is no such version.
            ParameterError: If a declared gate is missing: gates cannot be erased.
        """
        return change_version(
            self._metadata, self.get(model, version), actor=actor, gates=tuple(gates)
        )

    def judge(self, model: str, version: int | str | None = None) -> ModelVersionRecord:
        """Judge a version's gates as of now, against today's champion and with the known proofs.

        Args:
            model: The model's name.
            version: As in ``get``.

        Returns:
            The version with the new gate results, already stored.

        Raises:
            NotFoundError: If there is no such version.
        """
        return judge_version(self.get(model, version), store=self._store)

    def compare_signatures(self, model: str, version: int | str | None = None) -> SignatureChanges:
        """Compare a version's inputs and outputs with those of the production version.

        Args:
            model: The model's name.
            version: As in ``get``.

        Returns:
            The changes that callers would notice; empty if nothing is in production.

        Raises:
            NotFoundError: If there is no such version.
        """
        return signature_changes(self.champion(model), self.get(model, version))

    def require_promotable(
        self, model: str, version: int | None = None, *, accept_changes: bool = False
    ) -> ModelVersionRecord:
        """Judge a version as of now, and check that the version may go to production.

        To be called before traffic is sent to a version that is to be promoted later; the rules are
        those of ``promote``.

        Args:
            model: The model's name.
            version: Version number; None for the newest not promoted, archived or rejected yet.
            accept_changes: True if the version may refuse requests that the production version
                answers.

        Returns:
            The version, with the new gate results.

        Raises:
            GateError: If a gate did not pass, an approval is missing, or callers would break, with
                every reason.
            ConflictError: If the version cannot move to production.
            NotFoundError: If there is no such version.
        """
        record = self.newest_candidate(model) if version is None else self.get(model, version)
        require_move(record, Stage.PRODUCTION, self.history(model))
        require_answering(self._store, record, "go to production")
        record = judge_version(record, store=self._store)
        approvals = None if self._store.single_user else approval_state(self._store, record)
        changes = () if accept_changes else signature_changes(self.champion(model), record).breaking
        require_ready(record, approvals, changes=changes)
        return record

    @delivers
    def approve(
        self, model: str, version: int, *, reason: str, actor: str | None = None
    ) -> ApprovalRecord:
        """Approve a version, and only this version with these gates and this report.

        Args:
            model: The model's name.
            version: Version number.
            reason: Why; recorded with the approval.
            actor: The approver; by default the signed-in user, else the user of this process.

        Raises:
            GateError: If the actor trained the version, in a team's store.
            SignInError: If the store has users, and the request is not signed in.
            AccessError: If whoever has signed in may not approve this model.
            ConflictError: If the version is rejected.
            ParameterError: If the reason is empty.
        """
        record = self.get(model, version)
        who, attested = decide_as(actor, Permission.APPROVE, model, store=self._store)
        if not self._store.single_user:
            require_other_person(record, who, find_registrant(self._store, record))
        if record.stage is Stage.REJECTED:
            require_move(record, Stage.PRODUCTION)
        text, rules = require_reason(reason, "An approval"), get_approval_rules(store=self._store)
        yes = new_approval(record, who, text, rules, attested=attested)
        self._metadata.models.add_approval(yes)
        return yes

    @delivers
    def reject(
        self, model: str, version: int, *, reason: str, actor: str | None = None
    ) -> ModelVersionRecord:
        """Reject a version permanently: a rejected version never answers requests again.

        A rollout of the version ends in the same transaction, and the traffic goes back. A rejected
        version that was in production before is in quarantine: no rollback brings it back.

        Raises:
            ConflictError: If the version is in production or rejected already.
            ParameterError: If the reason is empty.
        """
        text = require_reason(reason, "A rejection")
        who, attested = decide_as(actor, Permission.APPROVE, model, store=self._store)
        no = ApprovalRecord(model, version, who, False, text, now(), attested=attested)
        return take_out(self._metadata, model, version, Stage.REJECTED, who, text, (no,))

    def approvals(self, model: str, version: int) -> Approvals:
        """List the approvals and rejections of a version, oldest first.

        Raises:
            NotFoundError: If there is no such version.
        """
        return self._metadata.models.list_approvals(model, self.get(model, version).version)

    def approval_state(self, model: str, version: int) -> ApprovalState:
        """Return which approvals of a version count now, and how many are needed.

        Raises:
            NotFoundError: If there is no such version.
        """
        return approval_state(self._store, self.get(model, version))

    @delivers
    def promote(
        self,
        model: str,
        version: int | str | None = None,
        *,
        to: Stage | Literal["staging", "production"] = "production",
        actor: str | None = None,
        reason: str = "",
        force_reason: str | None = None,
        accept_changes: str | None = None,
    ) -> ModelVersionRecord:
        """Promote a version to production, or to staging.

        This is the only way in: the command, steps, rollouts and deployments all end here, and the
        gates are judged here, as of now. The present production version is archived in the same
        transaction. In a single-user store the promoter's approval is recorded with the move.

        Args:
            model: Name of the model.
            version: As in ``get``.
            to: Stage to promote to: ``"production"`` or ``"staging"``.
            actor: The actor; by default the user of this process.
            reason: Why.
            force_reason: Why gates that did not pass are overruled; recorded in the history.
            accept_changes: Why the version may refuse requests that the production version answers
                (see ``compare_signatures``); recorded in the history.

        Raises:
            GateError: If a gate did not pass, an approval is missing, or callers would break, with
                every reason.
            ConflictError: If the move is not allowed, or a concurrent move came first.
            NotFoundError: If there is no such version.
        """
        who = actor or current_actor()
        if to == Stage.STAGING:
            target = self.get(model, version)
            require_answering(self._store, target, "go to staging")
            return move_alone(self._metadata, model, target.version, Stage.STAGING, who, reason)
        if to != Stage.PRODUCTION:
            raise ParameterError(
                what=f"A version is not promoted to {to}.",
                fix="Promote to staging or production; use archive or reject for the others.",
            )

        return promote_to_production(
            self._store,
            model,
            version,
            actor=who,
            reason=reason,
            force_reason=force_reason,
            accept_changes=accept_changes,
        )

    @delivers
    def archive(
        self, model: str, version: int, *, actor: str | None = None, reason: str = ""
    ) -> ModelVersionRecord:
        """Archive a version; a rollout of the version ends in the same transaction.

        The production version can only be archived while no deployment answers with that.

        Raises:
            ConflictError: If the version is archived or rejected already, or a deployment answers
                with that version.
        """
        return take_out(
            self._metadata, model, version, Stage.ARCHIVED, actor or current_actor(), reason
        )

    @delivers
    def rollback(
        self,
        model: str,
        *,
        to: int | None = None,
        actor: str | None = None,
        reason: str = "",
        expected: int | None = None,
    ) -> ModelVersionRecord:
        """Roll back to the previous production version; a second rollback returns to the start.

        The version was judged and approved at the promotion, so nothing is checked again: a gate
        against the champion would compare the version with the failing champion. Rejected versions
        are skipped. Two people who react to the same alert do not roll back twice: within a minute
        of a rollback, ``expected`` or ``to`` is required.

        Args:
            model: Name of the model.
            to: A specific earlier production version.
            actor: The actor; by default the user of this process.
            reason: Why.
            expected: The version that is to go. An automatic caller passes this, so that two at the
                same time do not roll back twice.

        Raises:
            ConflictError: If there is nothing to go back to, a different version than ``expected``
                is in production, or there was a rollback a moment ago.
            ParameterError: If ``to`` was never in production.
            NotFoundError: If there is no such model or version.
        """
        return roll_back_to(
            self._store, model, to, expected, actor or current_actor(), reason or "Rolled back."
        )

    def history(self, model: str, at: str | datetime | None = None) -> Events:
        """List the events of the model's versions, oldest first, up to a time if given.

        An event whose two stages are equal is no move: a version was registered, its gates were
        judged, or an approval was given.

        Raises:
            NotFoundError: If there is no such model.
            ParameterError: If ``at`` is no time.
        """
        events = self._metadata.models.list_stage_events(model)
        if not events:
            self._metadata.models.list_versions(model)
        return events if at is None else [event for event in events if event.at <= read_time(at)]

    def production_at(self, model: str, at: str | datetime) -> ProductionAt:
        """Return the version in production at a time, with promoter and approvers.

        Args:
            model: Name of the model.
            at: A time; ISO text without a zone is UTC.

        Raises:
            NotFoundError: If there is no such model.
            ParameterError: If ``at`` is no time.
        """
        moment, events = read_time(at), self.history(model)
        state = production_at(model, moment, events, ())
        if state.version is None:
            return state
        approvals = self._metadata.models.list_approvals(model, state.version)
        return production_at(model, moment, events, approvals)

    def store_history(self) -> Events:
        """List the changes of the store's settings on which promotions depend, oldest first."""
        return self._metadata.models.list_stage_events(STORE_HISTORY)

    def verify_history(self, model: str) -> int | None:
        """Check the hash chain of a model's history.

        Returns:
            The position (from 0) of the first event that is not as written; None if all are.

        Raises:
            NotFoundError: If there is no such model.
        """
        return verify_events(self.history(model))

    def _in_stage(self, model: str, stage: Stage) -> ModelVersionRecord | None:
        if model not in self._metadata.models.list():
            return None
        return in_stage(self._metadata.models.list_versions(model), stage)
