"""Small models of Hugging Face for tests: made here, so that nothing is downloaded."""

from typing import Any

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "late", "again", "fine", "ride", "the", "train"]
TEXTS = ["late again", "the train", "", "fine ride the ride", "late late late unseen"]


def make_tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: place for place, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "attention_mask"],
    )


def make_config(**facts: Any) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
        **facts,
    )


def make_classifier(**facts: Any) -> Any:
    """Make a classifier of texts with random weights; the empty text has no tokens."""
    import torch
    from transformers import BertForSequenceClassification

    torch.manual_seed(0)
    return BertForSequenceClassification(make_config(**facts)).eval()


def make_sentence_model(folder: Any) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertModel

    torch.manual_seed(0)
    BertModel(make_config()).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    modules = [Transformer(str(folder), max_seq_length=16), Pooling(16)]
    return SentenceTransformer(modules=modules, device="cpu")
