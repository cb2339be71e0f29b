"""A bilingual lexical encoder: hashed words and Chinese character pairs, no weights, no training."""

from collections.abc import Sequence

import numpy as np

from toolkit.encoders.text import readable

# A word of letters, a number, one CJK character, or one other sign: Chinese is read character by character, and
# pairs of neighbouring tokens supply the character n-grams that stand in for its words.
_TOKEN = r"[㐀-鿿豈-﫿]|[^\W\d_㐀-鿿豈-﫿]+|\d+|[^\w\s]"


def _prepared(text: str) -> str:
    return readable(text.lower())


class LexicalEncoder:
    """Signed feature hashing of token unigrams and bigrams (Weinberger et al. 2009), log counts, unit length.

    Args:
        dimension: length of the vectors.
    """

    slow = False

    def __init__(self, dimension: int = 1024):
        from sklearn.feature_extraction.text import HashingVectorizer  # late: scikit-learn takes a second

        self.dimension = dimension
        self.identity = f"lexical-{dimension}"
        self._vectorizer = HashingVectorizer(
            preprocessor=_prepared,
            token_pattern=_TOKEN,
            ngram_range=(1, 2),
            n_features=dimension,
            norm=None,
            dtype=np.float32,
        )

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 (n, dimension), rows of unit length; a text without any token gives zeros."""
        if not len(texts):
            return np.empty((0, self.dimension), dtype=np.float32)
        counts = self._vectorizer.transform(texts).toarray()
        vectors = np.sign(counts) * np.log1p(np.abs(counts))
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(length, np.finfo(np.float32).tiny)).astype(np.float32)
