"""Classes of meaning: the published figures, the closure, and synthetic classes that are near and never touch."""

import hashlib
import io
import json
import re
import tarfile
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.datasets import paraphrases, registry
from toolkit.datasets.paraphrases import Paraphrases
from toolkit.errors import ToolkitError


def _upstream(name: str) -> Paraphrases:
    if not paraphrases.at_hand(name):
        pytest.skip(f"{name} is not at hand; set TOOLKIT_DATA_MIRROR or fetch it once")
    return paraphrases.load(name)


def _check_contract(found: Paraphrases) -> None:
    """What every set keeps."""
    count = len(found.texts)
    assert len(set(found.texts)) == count and all(text.strip() for text in found.texts)
    assert found.classes.shape == found.languages.shape == (count,) and found.classes.dtype == np.int64
    assert np.array_equal(np.unique(found.classes), np.arange(found.classes.max() + 1))
    assert set(found.languages) <= {"en", "zh"} and found.notes
    assert list(found.pairs.columns) == ["first", "second", "same"] and found.pairs["same"].dtype == bool
    first, second = found.pairs[["first", "second"]].to_numpy().T
    assert min(first.min(), second.min()) >= 0 and max(first.max(), second.max()) < count
    assert (found.classes[first] == found.classes[second])[found.pairs["same"]].all()


def _against(found: Paraphrases) -> int:
    """Pairs labelled different within one class."""
    apart = found.pairs[~found.pairs["same"]]
    return int((found.classes[apart["first"]] == found.classes[apart["second"]]).sum())


def test_qqp_has_its_published_figures():
    found = _upstream("qqp")
    _check_contract(found)
    sizes = np.bincount(found.classes)
    assert (len(found.pairs), found.pairs["same"].sum(), len(found.texts)) == (80_854, 30_141, 137_551)
    assert (len(sizes), (sizes == 1).sum(), (sizes >= 5).sum(), _against(found)) == (110_887, 92_782, 699, 7)
    assert found.notes[2].endswith("contradicts itself: 7.")
    assert found.offensive and set(found.languages) == {"en"}


def test_afqmc_has_its_published_figures():
    found = _upstream("afqmc")
    _check_contract(found)
    parts = found.pairs["same"][:34_334], found.pairs["same"][34_334:]
    assert [(len(part), part.sum()) for part in parts] == [(34_334, 10_573), (4_316, 1_338)]
    sizes = np.bincount(found.classes)
    assert (len(found.texts), len(sizes), (sizes == 1).sum(), (sizes >= 5).sum()) == (76_226, 64_316, 52_552, 3)
    assert _against(found) == 1, "one text is labelled different from itself"
    assert found.offensive and set(found.languages) == {"zh"}


def test_mock_is_999_pairs_of_statements():
    if not paraphrases.at_hand("mock"):
        pytest.skip("mock_data.json is not at hand; set TOOLKIT_DATA_MIRROR or fetch it once")
    table = paraphrases.mock()
    assert list(table.columns) == ["origin", "similar"] and len(table) == 999
    assert table["origin"].nunique() == 964 and (table["origin"] != table["similar"]).all()


LABELLED = st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans())


@given(st.lists(LABELLED, max_size=25))
@settings(deadline=None)
def test_classes_are_the_transitive_closure_of_the_pairs_labelled_same(rows):
    pairs = pd.DataFrame(rows, columns=["first", "second", "same"]).astype({"same": bool})
    classes = paraphrases._components(pairs.astype({"first": int, "second": int}), 10)
    reach = np.eye(10, dtype=bool)
    for first, second, same in rows:
        if same:
            reach[first, second] = reach[second, first] = True
    for through in range(10):  # Warshall
        reach |= reach[:, [through]] & reach[[through], :]
    np.testing.assert_array_equal(classes[:, None] == classes[None, :], reach)
    assert np.array_equal(np.unique(classes), np.arange(classes.max() + 1))


FROZEN = "95d4d66ef8b8d999"


def _digest(found: Paraphrases) -> str:
    kept = [found.texts, found.classes.tolist(), found.languages.tolist(), found.pairs.to_numpy().tolist()]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def test_synthetic_is_frozen_in_every_process():
    """Changing these changes every synthetic figure of the cache ever reported: raise the version and say so."""
    found = paraphrases.load("synthetic")
    _check_contract(found)
    assert _digest(found)[:16] == FROZEN
    assert _digest(paraphrases.load("synthetic")) == _digest(found) != _digest(paraphrases.load("synthetic", seed=1))


@pytest.mark.parametrize(("classes", "seed"), [(10, 0), (1501, 2), (12_000, 3)])
def test_synthetic_has_both_languages_and_classes_of_every_size(classes, seed):
    found = paraphrases.load("synthetic", classes=classes, seed=seed)
    _check_contract(found)
    sizes = np.bincount(found.classes)
    assert len(sizes) == classes and not found.offensive
    chinese = np.array([bool(re.search("[一-鿿]", text)) for text in found.texts])
    np.testing.assert_array_equal(chinese, found.languages == "zh")
    in_zh = np.unique(found.classes[chinese])
    assert len(in_zh) == classes // 2
    if classes > 1000:
        assert ((sizes == np.arange(1, 6)[:, None]).mean(axis=1) > 0.05).all() and sizes.max() == 5
        assert 0.4 < chinese.mean() < 0.6


def test_no_two_synthetic_classes_can_share_a_text():
    """Of all wordings in all fillings, not of one draw; case, blanks and punctuation do not count."""
    owner = {}
    for language in ("en", "zh"):
        for intents, slots, fillings in paraphrases._groups(language):
            assert len(set(fillings)) == len(fillings)
            for intent, wordings in intents.items():
                assert 4 <= len(wordings) <= 6
                for wording in wordings:
                    assert sorted(re.findall(r"{(\w+)}", wording)) == sorted(slots), wording
                    for filling in fillings:
                        text = wording.format(**dict(zip(slots, filling, strict=True)))
                        bare = "".join(filter(str.isalnum, text.casefold()))
                        assert owner.setdefault(bare, (intent, filling)) == (intent, filling), text


ANTONYMS = {
    "before": "after", "with": "without", "allowed": "not allowed", "can I": "can I not", "Increase": "Decrease",
    "提前": "推迟", "可以": "不可以", "入住前": "退房后", "提高": "降低", "最早": "最晚", "会员": "非会员",
}  # fmt: skip


def test_synthetic_texts_have_near_neighbours_of_another_class():
    """Alike but for one antonym or negation, or but for a number."""
    found = paraphrases.load("synthetic")
    owner = dict(zip(found.texts, found.classes, strict=True))
    for word, opposite in ANTONYMS.items():
        swapped = {text: text.replace(word, opposite, 1) for text in found.texts if word in text}
        assert sum(owner.get(other, owner[text]) != owner[text] for text, other in swapped.items()) >= 3, word
    masked = Counter(re.sub(r"\d+", "#", text) for text in found.texts)
    assert sum(count for count in masked.values() if count > 1) >= 500


def test_synthetic_pairs_labelled_different_look_like_those_labelled_same():
    found = paraphrases.load("synthetic")
    apart, same = found.pairs[~found.pairs["same"]], found.pairs[found.pairs["same"]]
    assert len(apart) == len(same) == 1500 and not found.pairs[["first", "second"]].duplicated().any()
    assert _against(found) == 0
    assert (found.languages[apart["first"]] == found.languages[apart["second"]]).all()
    shingles = [set(pairwise(text)) for text in found.texts]

    def overlap(pairs: pd.DataFrame) -> float:
        sides = ((shingles[one], shingles[other]) for one, other in pairs[["first", "second"]].to_numpy())
        return float(np.mean([len(one & other) / len(one | other) for one, other in sides]))

    assert overlap(apart) > 0.8 * overlap(same) > 0.2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("qpq", {}, "No paraphrases 'qpq'; there are qqp, afqmc, synthetic"),
        ("mock", {}, "No paraphrases 'mock'"),
        ("qqp", {"classes": 3}, "qqp: classes and seed are options of synthetic only"),
        ("synthetic", {"classes": 9}, r"option classes takes 10 to \d+; 9 was given"),
        ("synthetic", {"classes": 10**6}, r"option classes takes 10 to \d+; 1000000 was given"),
        ("synthetic", {"seed": -1}, "option seed takes a whole number from 0; -1"),
    ],
)
def test_a_bad_name_or_option_is_refused_with_what_there_is(name, options, message):
    with pytest.raises(ToolkitError, match=message):
        paraphrases.load(name, **options)


def test_at_hand_asks_for_every_file(monkeypatch):
    assert paraphrases.at_hand("synthetic")
    monkeypatch.setattr(registry, "where", lambda name: "cache" if "train" in name else None)
    assert not paraphrases.at_hand("afqmc") and not paraphrases.at_hand("mock")
    monkeypatch.setattr(registry, "where", lambda name: "mirror")
    assert paraphrases.at_hand("afqmc") and paraphrases.at_hand("qqp")
    with pytest.raises(ToolkitError, match="there are qqp, afqmc, mock, synthetic"):
        paraphrases.at_hand("nothing")


def _packed(*contents: bytes) -> bytes:
    """A tar.gz of JSON files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"{number}.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


GOOD = {"text_a": "a", "text_b": "b", "label": 1}


def _rows(*rows: object) -> bytes:
    return _packed(json.dumps(rows).encode())


def test_a_well_made_file_is_read(tmp_path, monkeypatch):
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(_rows(GOOD, GOOD | {"text_a": "b", "text_b": "c"}, GOOD | {"text_b": "c", "label": 0}))
    monkeypatch.setattr(registry, "fetch", lambda name: path)
    found = paraphrases.load("qqp")
    assert found.texts == ["a", "b", "c"] and found.classes.tolist() == [0, 0, 0]
    assert found.notes[2].endswith("contradicts itself: 1.")
    assert list(tmp_path.iterdir()) == [path], "nothing is unpacked"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("qqp", b"[]", "a tar.gz with one JSON list was expected and could not be read"),
        ("qqp", _rows(GOOD)[:60], "a tar.gz with one JSON list was expected and could not be read"),
        ("qqp", _packed(b"[", b"["), "2 files were found in it"),
        ("qqp", _packed(b'[{"text_a": '), r"could not be read \(Expecting value"),
        ("qqp", _packed(b"\xff[]"), "could not be read"),
        ("qqp", _packed(b"{}"), "dict was found in it"),
        ("qqp", _packed(b"[]"), "at least one pair was expected, none was found"),
        ("qqp", _rows(GOOD, 3), "row 2, field text_a, text_b, label: an object was expected; 3 was found"),
        ("qqp", _rows(GOOD, {"text_a": "a"}), "row 2, field text_b: str was expected; None was found"),
        ("qqp", _rows(GOOD, GOOD | {"text_b": " "}), "row 2, field text_b: a value was expected"),
        ("qqp", _rows(GOOD, GOOD | {"label": "1"}), "row 2, field label: int was expected; '1' was found"),
        (
            "qqp",
            _rows(GOOD, GOOD | {"label": 2}),
            r"row 2, field label: a number in \[0, 1\] was expected; 2 was found",
        ),
        ("afqmc", "sentence1,sentence2\n甲,乙\n".encode(), "the column 'label' was expected"),
        ("afqmc", "sentence1,sentence2,label\n甲,乙,1\n甲,,0\n".encode(), "row 2, field sentence2: a value"),
        ("afqmc", "sentence1,sentence2,label\n甲,乙,0.5\n".encode(), "row 1, field label: 0 or 1 was expected; 0.5"),
        ("afqmc", "sentence1,sentence2,label\n甲,乙,yes\n".encode(), "row 1, field label: a number in"),
        ("afqmc", "sentence1,sentence2,label\n甲,乙,1,9\n甲,乙,1,9,9\n".encode(), "could not be read"),
        ("afqmc", "sentence1,sentence2,label\n甲".encode("gbk"), "could not be read"),
        ("mock", b'[{"origin": "a"}]', "row 1, field similar: str was expected; None was found"),
    ],
)
def test_a_malformed_file_is_named_with_row_and_field(tmp_path, monkeypatch, name, content, message):
    path = tmp_path / "upstream"
    path.write_bytes(content)
    monkeypatch.setattr(registry, "fetch", lambda name: path)
    with pytest.raises(ToolkitError, match=message) as caught:
        paraphrases.mock() if name == "mock" else paraphrases.load(name)
    assert str(path) in str(caught.value)
