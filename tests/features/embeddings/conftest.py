from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    """A folder with a language model of five words, written by model2vec."""
    needed = "it is installed with: pip install 'penstock[transformers]'"
    model2vec = pytest.importorskip("model2vec", reason=needed)
    tokenizers = pytest.importorskip("tokenizers", reason=needed)
    words = {"[UNK]": 0, "[PAD]": 1, "late": 2, "ride": 3, "fine": 4}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(tmp_path / "small")
    return tmp_path / "small"
