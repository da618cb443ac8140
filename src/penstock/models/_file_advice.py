"""How a model in a library's file becomes a model that can be registered; apart: a table of words."""

from collections.abc import Mapping
from pathlib import PurePath

_PICKLE = (
    "It is a pickle, which can run any code. Where you trust it, load it with the library that wrote"
    " it, and return the loaded model from a step"
)
_ADVICE = {
    ".ckpt": f"{_PICKLE}: Net.load_from_checkpoint(file). To resume a training, see"
    " penstock.checkpoints.",
    ".joblib": f"{_PICKLE}: joblib.load(file).",
    ".keras": "Load it with keras.models.load_model(file) under KERAS_BACKEND=torch, and return the"
    " model, or penstock.models.KerasEstimator(model, classes=[…]).",
    ".onnx": "Read it: penstock.stores.read_onnx(file).",
    ".pkl": f"{_PICKLE}: pickle.load.",
    ".pickle": f"{_PICKLE}: pickle.load.",
    ".pt": f"{_PICKLE}: torch.load(file, weights_only=False); of a state_dict, make the network and"
    " net.load_state_dict(torch.load(file, weights_only=True)). TorchScript: the network that was"
    " scripted, or torch.onnx.export(net, example, dynamo=True).",
    ".safetensors": "It has tensors only: make the network, load them with"
    " net.load_state_dict(safetensors.torch.load_file(file)), and return the network.",
    ".ubj": "Load it: xgboost.Booster(model_file=file).",
    ".cbm": "Load it: catboost.CatBoostClassifier().load_model(file).",
}
_SAME = {
    ".h5": ".keras",
    ".hdf5": ".keras",
    ".pth": ".pt",
    ".bin": ".pt",
    ".dill": ".pkl",
    ".sav": ".pkl",
}
_STATE = (
    "It is a state_dict, tensors without a network: make the network, call"
    " net.load_state_dict(state), and return the network."
)
_PIPELINE = (
    "Of the pipelines of transformers those of text-classification are models. Wrap another in a class"
    " of your own with predict(), or call it before the split, in a step."
)
_CHECKPOINT = (
    "It is a checkpoint of Lightning: return the module itself, or Net.load_from_checkpoint(file)."
)


MERGE = (
    "Merge the adapter into the model: merged = model.merge_and_unload(); the merged model is stored"
    " whole. Return it, or penstock.models.LanguageModelEstimator(merged, tokenizer)."
)
"""How a model of PEFT is registered."""


def file_advice(name: str) -> str:
    """Return how the model in a file is registered; empty for an unknown kind of file.

    >>> file_advice("churn.onnx")
    'Read it: penstock.stores.read_onnx(file).'

    Args:
        name: Name of the file.
    """
    suffix = PurePath(name).suffix.lower()
    return _ADVICE.get(_SAME.get(suffix, suffix), "")


def value_advice(value: object) -> str:
    """Return how a value that stands for a model is registered: a path, bytes, a state_dict."""
    if isinstance(value, str | PurePath):
        return file_advice(str(value))
    if isinstance(value, Mapping) and value:
        if "pytorch-lightning_version" in value:
            return _CHECKPOINT
        if all(type(each).__module__.startswith("torch") for each in value.values()):
            return _STATE
    root = type(value).__module__.partition(".")[0]
    if root == "peft":
        return MERGE
    if root == "transformers" and type(value).__name__.endswith("Pipeline"):
        return _PIPELINE
    if type(value).__module__.startswith("torch.jit"):
        return _ADVICE[".pt"]
    return ""
