"""Texts as embeddings of a language model whose files are pinned by digest."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.features.embeddings._files import PACKAGED as PACKAGED
    from penstock.features.embeddings._files import EmbeddingFile as EmbeddingFile
    from penstock.features.embeddings._text_embedding import TextEmbedding as TextEmbedding

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "PACKAGED": "_files",
        "EmbeddingFile": "_files",
        "TextEmbedding": "_text_embedding",
    },
)
