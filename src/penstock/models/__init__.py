"""The trained model: signature, safe loading, prediction and model card."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.models._card import model_card as model_card
    from penstock.models._card import refresh_card as refresh_card
    from penstock.models._estimator_kinds import ExtraOutput as ExtraOutput
    from penstock.models._explanation import Explanation as Explanation
    from penstock.models._feature_inputs import FeatureInputs as FeatureInputs
    from penstock.models._feature_inputs import OnDemandInputs as OnDemandInputs
    from penstock.models._feature_inputs import ViewInputs as ViewInputs
    from penstock.models._frame_check import CheckedFrame as CheckedFrame
    from penstock.models._inference import infer_signature as infer_signature
    from penstock.models._keras_estimator import KerasEstimator as KerasEstimator
    from penstock.models._label_encoding import LabelEncodingClassifier as LabelEncodingClassifier
    from penstock.models._language_models import LanguageModelEstimator as LanguageModelEstimator
    from penstock.models._language_models import SentenceEncoder as SentenceEncoder
    from penstock.models._mlflow_model import StoredFolder as StoredFolder
    from penstock.models._mlflow_model import require_no_files as require_no_files
    from penstock.models._mlflow_model import store_mlflow_folder as store_mlflow_folder
    from penstock.models._model import Model as Model
    from penstock.models._onnx_check import holdout_rows as holdout_rows
    from penstock.models._onnx_check import make_onnx_form as make_onnx_form
    from penstock.models._onnx_estimator import OnnxEstimator as OnnxEstimator
    from penstock.models._onnx_form import Form as Form
    from penstock.models._onnx_form import OnnxForm as OnnxForm
    from penstock.models._onnx_form import describe_form as describe_form
    from penstock.models._onnx_form import read_onnx_form as read_onnx_form
    from penstock.models._onnx_form import require_onnx_form as require_onnx_form
    from penstock.models._onnx_session import OnnxInput as OnnxInput
    from penstock.models._onnx_signature import infer_onnx_signature as infer_onnx_signature
    from penstock.models._predictions import Predictions as Predictions
    from penstock.models._safety import require_allowed as require_allowed
    from penstock.models._safety import require_model as require_model
    from penstock.models._safety import require_safe as require_safe
    from penstock.models._safety import require_unsafe_allowed as require_unsafe_allowed
    from penstock.models._safety import unsafe_reason as unsafe_reason
    from penstock.models._schema_forms import label_type as label_type
    from penstock.models._several import SeveralPredictions as SeveralPredictions
    from penstock.models._several import predict_several as predict_several
    from penstock.models._signature import Signature as Signature
    from penstock.models._signature_changes import SignatureChanges as SignatureChanges
    from penstock.models._signature_changes import compare_signatures as compare_signatures
    from penstock.models._targets import Target as Target
    from penstock.models._torch_estimator import TorchEstimator as TorchEstimator
    from penstock.models.tabular_net import TabularNet as TabularNet
    from penstock.models.tabular_net import TabularNetClassifier as TabularNetClassifier
    from penstock.models.tabular_net import TabularNetRegressor as TabularNetRegressor
    from penstock.stores import UnsafeModel as UnsafeModel

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ExtraOutput": "_estimator_kinds",
        "CheckedFrame": "_frame_check",
        "Explanation": "_explanation",
        "FeatureInputs": "_feature_inputs",
        "LabelEncodingClassifier": "_label_encoding",
        "KerasEstimator": "_keras_estimator",
        "LanguageModelEstimator": "_language_models",
        "SentenceEncoder": "_language_models",
        "Model": "_model",
        "Form": "_onnx_form",
        "OnnxForm": "_onnx_form",
        "OnnxEstimator": "_onnx_estimator",
        "OnnxInput": "_onnx_session",
        "OnDemandInputs": "_feature_inputs",
        "Predictions": "_predictions",
        "Signature": "_signature",
        "SignatureChanges": "_signature_changes",
        "SeveralPredictions": "_several",
        "Target": "_targets",
        "predict_several": "_several",
        "TabularNet": "penstock.models.tabular_net",
        "TabularNetClassifier": "penstock.models.tabular_net",
        "TabularNetRegressor": "penstock.models.tabular_net",
        "TorchEstimator": "_torch_estimator",
        "ViewInputs": "_feature_inputs",
        "compare_signatures": "_signature_changes",
        "describe_form": "_onnx_form",
        "holdout_rows": "_onnx_check",
        "make_onnx_form": "_onnx_check",
        "read_onnx_form": "_onnx_form",
        "require_onnx_form": "_onnx_form",
        "infer_signature": "_inference",
        "infer_onnx_signature": "_onnx_signature",
        "label_type": "_schema_forms",
        "model_card": "_card",
        "refresh_card": "_card",
        "UnsafeModel": "penstock.stores",
        "StoredFolder": "_mlflow_model",
        "require_no_files": "_mlflow_model",
        "store_mlflow_folder": "_mlflow_model",
        "require_allowed": "_safety",
        "require_model": "_safety",
        "require_safe": "_safety",
        "require_unsafe_allowed": "_safety",
        "unsafe_reason": "_safety",
    },
)
