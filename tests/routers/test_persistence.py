"""Saved and loaded in another process, a router decides the same; nothing in its folder is ever executed."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import make_router
from toolkit import encoders, load_router, save_router
from toolkit.errors import ToolkitError
from toolkit.evaluation.selection import CrossValidated
from toolkit.routers import ROUTERS
from toolkit.routers.base import Router
from toolkit.routers.ensemble import Ensemble

NAMES = [name for name in ROUTERS if not ROUTERS[name]().uses_outcomes]


@pytest.fixture(scope="module")
def fitted(synthetic):
    train, test = synthetic.sample(400).split(0.3)
    # What other tests encoded in other batches differs in the last bit; from here on both processes share the disk's.
    encoders.get.cache_clear()
    return {name: make_router(name).fit(train) for name in NAMES}, test


def test_every_router_decides_the_same_in_a_fresh_process(fitted, tmp_path):
    routers, test = fitted
    metadata = test.prompts[["domain", "language"]]
    (tmp_path / "texts.json").write_text(json.dumps(test.texts))
    metadata.to_json(tmp_path / "metadata.json")
    for name, router in routers.items():
        save_router(router, tmp_path / name)
    code = (
        "import json, sys, numpy as np, pandas as pd, pathlib; from toolkit import load_router\n"
        "root = pathlib.Path(sys.argv[1]); texts = json.loads((root / 'texts.json').read_text())\n"
        "metadata = pd.read_json(root / 'metadata.json')\n"
        "for name in sys.argv[2:]:\n"
        "    router = load_router(root / name)\n"
        "    result = router.predict(texts, metadata) if router.has_scores else router.choose(texts, metadata)\n"
        "    np.save(root / f'{name}.npy', result); print(repr(router))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *NAMES], capture_output=True, text=True, check=True
    )
    for name, line in zip(NAMES, done.stdout.splitlines(), strict=True):
        router = routers[name]
        before = router.predict(test.texts, metadata) if router.has_scores else router.choose(test.texts, metadata)
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), before)
        assert line == repr(router)


def test_a_folder_is_written_whole_or_not_at_all(fitted, tmp_path):
    router = fitted[0]["prompt-length"]
    save_router(router, tmp_path / "kept")
    with pytest.raises(ToolkitError, match="this one exists"):
        save_router(router, tmp_path / "kept")
    with pytest.raises(ToolkitError, match="not fitted"):
        save_router(ROUTERS["random"](), tmp_path / "unfitted")
    odd = ROUTERS["prompt-length"]().fit(fitted[1])
    odd.thing_ = object()
    with pytest.raises(ToolkitError, match="plain values and arrays were expected; thing_ is neither"):
        save_router(odd, tmp_path / "odd")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


class Mine(Router):
    """A router of the caller's own."""

    def __init__(self, level: float = 0.5):
        self.level = level

    def _fit(self, train):
        self.mean_ = float(train.mean_quality().mean())

    def _predict(self, texts, metadata):
        return np.full((len(texts), len(self.models_)), self.level * self.mean_)


def test_own_classes_are_named_by_the_caller(fitted, tmp_path):
    router = Mine(0.25).fit(fitted[1])
    save_router(router, tmp_path / "mine")
    with pytest.raises(ToolkitError, match="no router class 'Mine' is known"):
        load_router(tmp_path / "mine")
    loaded = load_router(tmp_path / "mine", known=[Mine])
    np.testing.assert_array_equal(loaded.predict(["x"]), router.predict(["x"]))
    nested = Ensemble((Mine(), Ensemble((Mine(0.1), CrossValidated((Mine(0.2), Mine(0.3))))))).fit(fitted[1])
    save_router(nested, tmp_path / "nested")
    loaded = load_router(tmp_path / "nested", known=[Mine])
    np.testing.assert_array_equal(loaded.predict(["x"]), nested.predict(["x"]))


def test_damage_is_told(fitted, tmp_path):
    save_router(fitted[0]["knn-lexical"], tmp_path / "knn")
    with pytest.raises(ToolkitError, match=r"there is no router\.json"):
        load_router(tmp_path)
    array = tmp_path / "knn" / "state.npz"
    array.write_bytes(array.read_bytes()[:200])
    with pytest.raises(ToolkitError, match="damaged"):
        load_router(tmp_path / "knn")
    spec = tmp_path / "knn" / "router.json"
    content = json.loads(spec.read_text())
    np.savez(array, evil=np.array([object()]), allow_pickle=True)
    with pytest.raises(ToolkitError, match="damaged"):
        load_router(tmp_path / "knn")
    np.savez(array, allow_pickle=False)
    save_router(fitted[0]["rorf"], tmp_path / "rorf")
    (tmp_path / "rorf" / "state.npz").write_bytes(array.read_bytes())
    with pytest.raises(ToolkitError, match="damaged"):
        load_router(tmp_path / "rorf")
    spec.write_text(json.dumps(content | {"format": 9}))
    with pytest.raises(ToolkitError, match="format 1 was expected; found 9"):
        load_router(tmp_path / "knn")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": "abc"}, "damaged"),
        ({"models": []}, "damaged"),
        ({"state": {"_predict": "pwn"}}, "damaged"),
        ({"state": {"models_": ["x"]}}, "damaged"),
        ({"state": {"uses_outcomes": True}}, "damaged"),
        ({"params": []}, "the parameters of PromptLength were expected"),
        ({"params": {"scale": 1.0, "more": 2}}, "the parameters of PromptLength were expected"),
        ({"class": ["PromptLength"]}, "no router class"),
    ],
)
def test_a_forged_file_changes_nothing(fitted, tmp_path, change, message):
    folder = save_router(fitted[0]["prompt-length"], tmp_path / "router")
    content = json.loads((folder / "router.json").read_text())
    (folder / "router.json").write_text(json.dumps(content | change))
    with pytest.raises(ToolkitError, match=message):
        load_router(folder)
    (folder / "router.json").write_text("[1]")
    with pytest.raises(ToolkitError, match="format 1 was expected; found 'list'"):
        load_router(folder)


@pytest.mark.parametrize("value", [np.array(["a", {}], dtype=object), {1: 2.0}, (1, 2)])
def test_what_would_come_back_as_something_else_is_not_saved(fitted, tmp_path, value):
    router = Mine().fit(fitted[1])
    router.extra_ = value
    with pytest.raises(ToolkitError, match="extra_ cannot be saved as it is"):
        save_router(router, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
