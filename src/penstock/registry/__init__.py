"""Model versions: numbered, judged by gates, approved, promoted, rolled back, never rewritten."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.registry._approving import ApprovalRules as ApprovalRules
    from penstock.registry._approving import ApprovalState as ApprovalState
    from penstock.registry._approving import get_approval_rules as get_approval_rules
    from penstock.registry._approving import judge_approvals as judge_approvals
    from penstock.registry._approving import set_approval_rules as set_approval_rules
    from penstock.registry._audit import verify_events as verify_events
    from penstock.registry._card import current_card as current_card
    from penstock.registry._explaining import explain_loaded as explain_loaded
    from penstock.registry._explaining import explain_prediction as explain_prediction
    from penstock.registry._explaining import explain_version as explain_version
    from penstock.registry._explaining import inputs_of as inputs_of
    from penstock.registry._history import ProductionAt as ProductionAt
    from penstock.registry._judgement import judge_candidate as judge_candidate
    from penstock.registry._judgement import judge_version as judge_version
    from penstock.registry._judgement import list_needed_proofs as list_needed_proofs
    from penstock.registry._judging import judge_approval as judge_approval
    from penstock.registry._judging import judge_claims as judge_claims
    from penstock.registry._judging import judge_moves as judge_moves
    from penstock.registry._judging import require_servable as require_servable
    from penstock.registry._model_version import ModelVersion as ModelVersion
    from penstock.registry._references import CHOSEN_TAG as CHOSEN_TAG
    from penstock.registry._references import parse_ref as parse_ref
    from penstock.registry._registry import Registry as Registry
    from penstock.registry._requirements import require_ready as require_ready

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ApprovalRules": "_approving",
        "ApprovalState": "_approving",
        "get_approval_rules": "_approving",
        "judge_approvals": "_approving",
        "set_approval_rules": "_approving",
        "CHOSEN_TAG": "_references",
        "ModelVersion": "_model_version",
        "ProductionAt": "_history",
        "Registry": "_registry",
        "current_card": "_card",
        "explain_prediction": "_explaining",
        "explain_version": "_explaining",
        "explain_loaded": "_explaining",
        "inputs_of": "_explaining",
        "judge_approval": "_judging",
        "judge_candidate": "_judgement",
        "judge_claims": "_judging",
        "judge_moves": "_judging",
        "judge_version": "_judgement",
        "list_needed_proofs": "_judgement",
        "parse_ref": "_references",
        "require_ready": "_requirements",
        "require_servable": "_judging",
        "verify_events": "_audit",
    },
)
