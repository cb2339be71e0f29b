"""Classes of meaning: the published figures, the closure, and synthetic classes that are near and never touch."""

import hashlib
import io
import json
import re
import tarfile
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.datasets import paraphrases, registry, synthetic_paraphrases
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


FROZEN = "cec365f3f1f635bd"


def _digest(found: Paraphrases) -> str:
    kept = [found.texts, found.classes.tolist(), found.languages.tolist(), found.pairs.to_numpy().tolist()]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def test_synthetic_is_frozen_in_every_process():
    """Changing these changes every synthetic figure of the cache ever reported: raise the version and say so."""
    found = paraphrases.load("synthetic")
    assert _digest(found)[:16] == FROZEN
    assert _digest(paraphrases.load("synthetic")) == _digest(found) != _digest(paraphrases.load("synthetic", seed=1))


def _bare(text: str) -> str:
    """Case, blanks and punctuation tell no classes apart."""
    return "".join(filter(str.isalnum, text.casefold()))


@pytest.fixture(scope="module")
def meanings() -> dict[str, tuple]:
    """Kind, language, group, intent and filling of every text that can be drawn."""
    owner = {}
    for kind, language in product(("intents", "topics"), synthetic_paraphrases.LANGUAGES):
        for number, (intents, slots, fillings) in enumerate(synthetic_paraphrases.groups(kind, language)):
            assert len(set(fillings)) == len(fillings)
            for intent, wordings in intents.items():
                assert (4 if kind == "intents" else 5) <= len(wordings) <= 6
                for wording in wordings:
                    assert sorted(re.findall(r"{(\w+)}", wording)) == sorted(slots), wording
                    for filling in fillings:
                        text = wording.format(**dict(zip(slots, filling, strict=True)))
                        meaning = kind, language, number, intent, filling
                        assert owner.setdefault(_bare(text), meaning) == meaning, text
    return owner


def test_no_two_synthetic_classes_can_share_a_text(meanings):
    """Of all wordings in all fillings, not of one draw."""
    groups = [
        group
        for kind, language in product(("intents", "topics"), synthetic_paraphrases.LANGUAGES)
        for group in synthetic_paraphrases.groups(kind, language)
    ]
    texts = sum(len(group.fillings) * len(wordings) for group in groups for wordings in group.intents.values())
    assert len(meanings) == texts
    assert len(set(meanings.values())) == sum(len(group.fillings) * len(group.intents) for group in groups)


@pytest.mark.parametrize(
    ("classes", "hard", "seed"), [(10, 0.15, 0), (1501, 0.15, 2), (3000, 0.5, 1), (8000, 0.0, 3), (12_000, 1.0, 3)]
)
def test_synthetic_classes_are_meanings_of_both_kinds_and_languages(meanings, classes, hard, seed):
    found = paraphrases.load("synthetic", classes=classes, hard=hard, seed=seed)
    _check_contract(found)
    sizes = np.bincount(found.classes)
    assert len(sizes) == classes and not found.offensive
    chinese = np.array([bool(re.search("[一-鿿]", text)) for text in found.texts])
    np.testing.assert_array_equal(chinese, found.languages == "zh")
    drawn = set(zip(found.classes, (meanings[_bare(text)] for text in found.texts), strict=True))
    assert len(drawn) == len({meaning for _, meaning in drawn}) == classes
    counts = Counter(meaning[:2] for _, meaning in drawn)
    for language, count in (("en", classes - classes // 2), ("zh", classes // 2)):
        assert counts["intents", language] + counts["topics", language] == count
        assert abs(counts["intents", language] - hard * count) <= 0.5
    if classes > 1000:
        assert ((sizes == np.arange(1, 6)[:, None]).mean(axis=1) > 0.05).all() and sizes.max() == 5
        assert 0.4 < chinese.mean() < 0.6


def test_synthetic_topics_are_drawn_over_all_domains_aspects_and_subjects(meanings):
    drawn = {meanings[_bare(text)] for text in paraphrases.load("synthetic", classes=3000).texts}
    for language in synthetic_paraphrases.LANGUAGES:
        groups = synthetic_paraphrases.groups("topics", language)
        aspects = Counter(meaning[2:4] for meaning in drawn if meaning[:2] == ("topics", language))
        assert len(aspects) == sum(len(group.intents) for group in groups) and np.ptp(list(aspects.values())) <= 1
        subjects = {meaning[4] for meaning in drawn if meaning[:2] == ("topics", language)}
        assert len(subjects) > 0.95 * sum(len(group.fillings) for group in groups)


ANTONYMS = {
    "before": "after", "with": "without", "allowed": "not allowed", "can I": "can I not", "Increase": "Decrease",
    "提前": "推迟", "可以": "不可以", "入住前": "退房后", "提高": "降低", "最早": "最晚", "会员": "非会员",
}  # fmt: skip


def test_hard_classes_have_near_neighbours_of_another_class():
    """Alike but for one antonym or negation, or but for a number."""
    found = paraphrases.load("synthetic", hard=1)
    owner = dict(zip(found.texts, found.classes, strict=True))
    for word, opposite in ANTONYMS.items():
        swapped = {text: text.replace(word, opposite, 1) for text in found.texts if word in text}
        assert sum(owner.get(other, owner[text]) != owner[text] for text, other in swapped.items()) >= 3, word
    masked = Counter(re.sub(r"\d+", "#", text) for text in found.texts)
    assert sum(count for count in masked.values() if count > 1) >= 500


def test_synthetic_pairs_labelled_different_are_near(meanings):
    """Another intent with the same filling, or the same intent with one slot changed; of intents and of topics."""
    found = paraphrases.load("synthetic", hard=0.15)
    apart, same = found.pairs[~found.pairs["same"]], found.pairs[found.pairs["same"]]
    assert len(apart) == len(same) == 1500 and not found.pairs[["first", "second"]].duplicated().any()
    kinds = Counter()
    for pair in apart[["first", "second"]].to_numpy():
        (*place, intent, filling), (*place2, intent2, filling2) = (meanings[_bare(found.texts[row])] for row in pair)
        changed = sum(one != other for one, other in zip(filling, filling2, strict=True))
        assert place == place2 and changed == (intent == intent2)
        kinds[place[0], "refilled" if changed else "opposite"] += 1
    assert len(kinds) == 4 and min(kinds.values()) >= 30


def test_synthetic_pairs_labelled_different_look_like_those_labelled_same():
    for hard, least in ((1, 0.8), (0.15, 0.6)):
        found = paraphrases.load("synthetic", hard=hard)
        shingles = [set(pairwise(text)) for text in found.texts]
        sides = ((shingles[one], shingles[other]) for one, other in found.pairs[["first", "second"]].to_numpy())
        overlap = pd.Series([len(one & other) / len(one | other) for one, other in sides])
        mean = overlap.groupby(found.pairs["same"]).mean()
        assert mean[False] > least * mean[True], (hard, mean)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("qpq", {}, "No paraphrases 'qpq'; there are qqp, afqmc, synthetic"),
        ("mock", {}, "No paraphrases 'mock'"),
        ("qqp", {"classes": 3}, "qqp: classes, hard and seed are options of synthetic only"),
        ("afqmc", {"hard": 0}, "afqmc: classes, hard and seed are options of synthetic only"),
        ("synthetic", {"classes": 9}, r"option classes takes 10 to \d+ at hard=0.05; 9 was given"),
        ("synthetic", {"classes": 10**6, "hard": 1}, r"option classes takes 10 to \d+ at hard=1; 1000000 was given"),
        ("synthetic", {"hard": 1.01}, "option hard takes a share from 0 to 1; 1.01"),
        ("synthetic", {"hard": -0.1}, "option hard takes a share from 0 to 1; -0.1"),
        ("synthetic", {"hard": float("nan")}, "option hard takes a share from 0 to 1; nan"),
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
