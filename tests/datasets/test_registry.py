"""Upstream files come with the registered content or not at all."""

import pytest

from toolkit.datasets import registry
from toolkit.errors import ToolkitError

FILE = "routellm/routellm/evals/mt_bench/contaminated_prompts.jsonl"


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No mirror, an empty cache, no network."""
    monkeypatch.delenv("TOOLKIT_DATA_MIRROR", raising=False)
    monkeypatch.setenv("TOOLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOOLKIT_OFFLINE", "1")
    registry._pooch.cache_clear()
    yield tmp_path
    registry._pooch.cache_clear()


def _place(root, content: bytes):
    target = root / FILE
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    return target


def test_a_changed_mirror_is_refused_and_left_alone(nowhere, monkeypatch):
    changed = _place(nowhere / "mirror", b"not what upstream has")
    monkeypatch.setenv("TOOLKIT_DATA_MIRROR", str(nowhere / "mirror"))
    assert registry.where(FILE) == "mirror"
    with pytest.raises(ToolkitError, match=r"sha256:[0-9a-f]{64} was expected, sha256:[0-9a-f]{64} was found; correct"):
        registry.fetch(FILE)
    assert changed.read_bytes() == b"not what upstream has"


def test_a_changed_cache_is_refused(nowhere):
    _place(nowhere / "cache", b"cut off in the midd")
    with pytest.raises(ToolkitError, match="delete the file; it will be fetched again"):
        registry.fetch(FILE)


def test_offline_and_not_at_hand(nowhere):
    assert registry.where(FILE) is None
    with pytest.raises(ToolkitError, match="TOOLKIT_OFFLINE forbids downloads; unset it, or set TOOLKIT_DATA_MIRROR"):
        registry.fetch(FILE)


def test_a_mirror_that_is_no_folder(nowhere, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA_MIRROR", str(nowhere / "typo"))
    with pytest.raises(ToolkitError, match="which is no folder"):
        registry.fetch(FILE)


def test_no_network_is_one_sentence(nowhere, monkeypatch):
    monkeypatch.delenv("TOOLKIT_OFFLINE")
    keeper = registry._pooch()
    monkeypatch.setitem(keeper.urls, FILE, "http://127.0.0.1:9/closed")
    monkeypatch.setattr(keeper, "retry_if_failed", 0)
    with pytest.raises(ToolkitError, match=r"could not be fetched from http://127.0.0.1:9/closed \(ConnectionError\)"):
        registry.fetch(FILE)
    assert not (nowhere / "cache" / FILE).exists()
