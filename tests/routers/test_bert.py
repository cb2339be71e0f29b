"""Classifiers: released ones by their formula, our own through a kill."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.special import softmax

from tests.conftest import make_outcomes, tiny_bert
from toolkit import load_router, save_router, select_model_by_bert
from toolkit.errors import ToolkitError
from toolkit.routers.bert import BertRouter, PreferenceBert, load_classifier
from toolkit.routers.finetune import progress_path

PAIR = make_outcomes([[0, 1], [0, 1], [1, 1]])


@pytest.mark.parametrize("labels", [3, 2])
def test_a_released_classifier_is_read_by_its_formula(labels, tmp_path):
    import torch

    torch.manual_seed(1)
    network, tokenizer = load_classifier(str(tiny_bert()), labels)
    network.save_pretrained(tmp_path), tokenizer.save_pretrained(tmp_path)
    with torch.inference_mode():
        logits = network.eval()(**tokenizer(["你好"], return_tensors="pt")).logits.numpy()
    chance = softmax(logits, axis=1)[0]
    win = 1 - chance[1] - chance[2] if labels == 3 else chance[1]
    router = PreferenceBert(str(tmp_path)).fit(PAIR)
    np.testing.assert_allclose(router.predict(["你好"]), [[1 - win, win]], atol=1e-6)
    turned = PreferenceBert(str(tmp_path)).fit(PAIR.subset(models=["m1", "m0"]))
    np.testing.assert_allclose(turned.predict(["你好"]), [[win, 1 - win]], atol=1e-6)
    save_router(router, tmp_path / "saved")
    np.testing.assert_array_equal(load_router(tmp_path / "saved").predict(["你好"]), router.predict(["你好"]))


def test_what_is_no_such_classifier_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    network, tokenizer = load_classifier(str(tiny_bert()), 5)
    network.save_pretrained(tmp_path), tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ToolkitError, match="2 or 3 labels was expected; it has 5"):
        PreferenceBert(str(tmp_path)).fit(PAIR)
    with pytest.raises(ToolkitError, match="nowhere/at-all: a transformers checkpoint"):
        BertRouter("nowhere/at-all").fit(PAIR)
    for tokens in (2, 1024):
        with pytest.raises(
            ToolkitError, match=f"max_tokens from 3 to 512 was expected of this checkpoint; got {tokens}"
        ):
            BertRouter(str(tiny_bert()), max_tokens=tokens).fit(PAIR)


def test_a_cut_network_is_told(tmp_path):
    folder = save_router(PreferenceBert(str(save_tiny(tmp_path))).fit(PAIR), tmp_path / "router")
    weights = folder / "network" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ToolkitError, match="could not be loaded"):
        load_router(folder)


def test_without_a_folder_for_progress_training_still_ends(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot be written"):
        BertRouter(str(tiny_bert()), max_tokens=8, epochs=1).fit(PAIR)


def test_fine_tuning_learns_and_stops_early():
    """Whether a word stands in the prompt decides who is right; a constant would have a loss of log 2."""
    rng = np.random.default_rng(0)
    hard = rng.integers(0, 2, 400)
    data = make_outcomes(
        np.stack([1 - hard, hard], axis=1), texts=[f"{'prove' if h else 'greet'} {i}" for i, h in enumerate(hard)]
    )
    router = BertRouter(str(tiny_bert()), max_tokens=8, epochs=30, batch=16, learning_rate=3e-3, seed=1).fit(data)
    predicted = router.predict(["prove this now", "greet this now"])
    assert predicted[0, 1] > 0.9 > 0.1 > predicted[1, 1]
    assert router.history_[-1]["validation_loss"] < 0.2
    again = BertRouter(str(tiny_bert()), max_tokens=8, epochs=30, batch=16, learning_rate=3e-3, seed=1).fit(data)
    np.testing.assert_array_equal(again.predict(data.texts[:20]), router.predict(data.texts[:20]))
    noise = make_outcomes(rng.integers(0, 2, (200, 2)))
    stopped = BertRouter(str(tiny_bert()), max_tokens=8, epochs=40, learning_rate=3e-3).fit(noise)
    losses = [row["validation_loss"] for row in stopped.history_]
    assert len(losses) < 40 and losses[-1] > min(losses)


TRAIN = """
import sys, numpy as np
from tests.conftest import make_outcomes
from toolkit.routers import finetune
from toolkit.routers.bert import BertRouter
quality = np.random.default_rng(0).integers(0, 2, (1200, 2))
options = BertRouter(sys.argv[1], max_tokens=8, epochs=3, patience=3, batch=8).params
network, _, history = finetune.finetune(make_outcomes(quality), options, save_every_s=0.0)
print([round(row["validation_loss"], 10) for row in history])
print(float(sum(parameter.double().abs().sum() for parameter in network.parameters())))
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(tmp_path):
    environment = os.environ | {"TOOLKIT_CACHE": str(tmp_path / "whole")}
    command = [sys.executable, "-c", TRAIN, str(tiny_bert())]
    whole = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    environment["TOOLKIT_CACHE"] = str(tmp_path / "cut")
    cut = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cut" / "training").glob("*.pt")):
        assert time.monotonic() < deadline and cut.poll() is None
        time.sleep(0.02)
    os.kill(cut.pid, signal.SIGKILL)
    cut.wait()
    assert list((tmp_path / "cut" / "training").glob("*.pt"))
    resumed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert resumed.stdout == whole.stdout
    assert not list((tmp_path / "cut" / "training").glob("*.pt"))


def test_damaged_progress_is_left_aside(tmp_path, monkeypatch, caplog):
    import torch

    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path))
    router, data = BertRouter(str(tiny_bert()), max_tokens=8, epochs=1), make_outcomes(np.eye(2)[[0, 1] * 20])
    torch.manual_seed(router.seed)
    start, _ = load_classifier(router.checkpoint, labels=2)
    expected = router.fit(data).predict(["x"])
    path = progress_path(data, router.params, start)
    path.write_bytes(b"cut short")
    np.testing.assert_array_equal(router.clone().fit(data).predict(["x"]), expected)
    assert "training starts anew" in caplog.text and not path.exists()


def test_the_drop_in_takes_the_place_of_the_length_rule(tmp_path, monkeypatch):
    router = PreferenceBert(str(save_tiny(tmp_path))).fit(PAIR)
    folder = save_router(router, tmp_path / "router")
    assert select_model_by_bert("你好", folder) == router.route("你好").model
    monkeypatch.setenv("TOOLKIT_ROUTER", str(folder))
    assert select_model_by_bert([{"role": "user", "content": "你好"}]) == router.route("你好").model
    monkeypatch.delenv("TOOLKIT_ROUTER")
    with pytest.raises(ToolkitError, match="give its folder, or set TOOLKIT_ROUTER"):
        select_model_by_bert("你好")


def save_tiny(folder):
    """A two-label classifier on disk."""
    network, tokenizer = load_classifier(str(tiny_bert()), 2)
    network.save_pretrained(folder / "two"), tokenizer.save_pretrained(folder / "two")
    return folder / "two"
