"""The bilinear form: what it learns, a model that comes later, and the published weights."""

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.special import expit

from tests.conftest import make_outcomes
from toolkit import encoders
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.factorization import MatrixFactorization
from toolkit.routers.published import PUBLISHED_MODELS, PublishedFactorization


def planted(count: int = 1500) -> Outcomes:
    """Model 0 knows mathematics, 1 knows poetry, 2 is good at both; the words tell which is asked."""
    rng = np.random.default_rng(0)
    about = rng.integers(0, 2, count)
    words = (("integral", "matrix", "prime", "proof"), ("sonnet", "rhyme", "verse", "ode"))
    texts = [" ".join(rng.choice(words[kind], 3)) + f" {row}" for row, kind in enumerate(about)]
    chance = np.stack([np.where(about == 0, 0.9, 0.2), np.where(about == 0, 0.2, 0.9), np.full(count, 0.8)], axis=1)
    return make_outcomes((rng.random(chance.shape) < chance).astype(float), texts=texts)


@pytest.fixture(scope="module")
def data() -> tuple[Outcomes, Outcomes]:
    return planted().split(0.3)


@pytest.mark.parametrize("target", ["preferences", "outcomes"])
def test_a_planted_structure_is_found_and_a_new_model_joins_it(data, target):
    train, test = data
    router = MatrixFactorization("lexical", target, noise=0.02, learning_rate=1e-2).fit(
        train.subset(models=["m0", "m1"])
    )
    about_poetry = np.array(["sonnet" in t or "rhyme" in t or "verse" in t or "ode" in t for t in test.texts])
    before = router.predict(test.texts)
    assert (before.argmax(axis=1) == about_poetry).mean() > 0.95
    kept = router.models_factors_.copy(), router.projection_.copy(), router.output_.copy()
    router.add_model(train, "m2")
    for old, new in zip(kept, (router.models_factors_[:2], router.projection_, router.output_), strict=True):
        np.testing.assert_array_equal(old, new)
    after = router.predict(test.texts)
    assert router.models_ == ["m0", "m1", "m2"] and after.shape == (len(test), 3)
    assert after[about_poetry, 2].mean() > after[about_poetry, 0].mean() + 0.2
    assert after[~about_poetry, 2].mean() > after[~about_poetry, 1].mean() + 0.2
    if target == "outcomes":
        np.testing.assert_allclose(after[:, :2], before, atol=1e-6)
        assert abs(after[:, 2].mean() - 0.8) < 0.05
    with pytest.raises(ToolkitError, match="knows 'm2' already"):
        router.add_model(train, "m2")


def test_nothing_to_learn_is_told(data):
    with pytest.raises(ToolkitError, match="one model is better than another; found none"):
        MatrixFactorization("lexical").fit(make_outcomes(np.ones((30, 2))))
    router = MatrixFactorization("lexical", epochs=1).fit(data[0].subset(models=["m0", "m1"]))
    with pytest.raises(ToolkitError, match="nothing is known of 'm2'"):
        router.add_model(data[0].subset(models=["m2"]), "m2")
    with pytest.raises(ToolkitError, match="preferences or outcomes was expected; got 'x'"):
        MatrixFactorization(target="x")


class Wide:
    """Stands for the 1,536-dimensional encoder that the published weights need."""

    dimension, identity, slow = 1536, "wide", False

    def encode(self, texts):
        rows = [np.random.default_rng(len(text)).normal(size=1536) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32).reshape(-1, 1536)


def test_published_weights_are_read_and_take_their_own_encoder_only(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    shapes = {"P.weight": (64, 128), "text_proj.0.weight": (128, 1536), "classifier.0.weight": (1, 128)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(weights, tmp_path / "model.safetensors")
    pair = make_outcomes([[0, 1], [0, 1], [1, 1]])
    with pytest.raises(ToolkitError, match="takes its 1,536 dimensions only; encoder 'lexical' has 1024"):
        PublishedFactorization(str(tmp_path), "lexical").fit(pair)
    with pytest.raises(ToolkitError, match="no entry in ENCODERS"):
        PublishedFactorization(str(tmp_path)).fit(pair)
    monkeypatch.setitem(encoders.ENCODERS, "wide", Wide)
    router = PublishedFactorization(str(tmp_path), "wide").fit(pair)
    strong, weak = (PUBLISHED_MODELS.index(name) for name in ("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"))
    assert (strong, weak, len(PUBLISHED_MODELS)) == (24, 36, 64)
    vector = Wide().encode(["Why?"])[0]
    projected = weights["text_proj.0.weight"] @ vector
    delta = [
        weights["classifier.0.weight"][0]
        @ (weights["P.weight"][row] / np.linalg.norm(weights["P.weight"][row]) * projected)
        for row in (weak, strong)
    ]
    assert router.predict(["Why?"])[0, 1] == pytest.approx(expit(delta[1] - delta[0]), abs=1e-5)
    save_file({"P.weight": weights["P.weight"]}, tmp_path / "model.safetensors")
    with pytest.raises(ToolkitError, match=r"tensors .* were expected; found"):
        PublishedFactorization(str(tmp_path), "wide").fit(pair)
    with pytest.raises(ToolkitError, match="has no model 'gpt-9'"):
        PublishedFactorization(strong="gpt-9")
