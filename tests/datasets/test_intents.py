"""Labelled requests: the counts of CLINC150, our own words for its names, and conversations that hold together."""

import json
import re

import numpy as np
import pytest

from toolkit.datasets import intents, registry
from toolkit.errors import ToolkitError
from toolkit.routes.table import OTHER

_CJK = re.compile(r"[\u3400-\u9fff]")


@pytest.fixture(scope="module")
def clinc() -> intents.Intents:
    if not intents.at_hand():
        pytest.skip("clinc150 is not at hand; set TOOLKIT_DATA_MIRROR or fetch it once")
    return intents.clinc150()


def test_clinc150_is_what_was_published(clinc):
    """Larson et al. 2019, table 1: 150 intents, 100 / 20 / 30 requests of each, 100 / 100 / 1,000 out of scope."""
    for part, each, outside, left_out in (("train", 100, 100, 20), ("validation", 20, 100, 5), ("test", 30, 1000, 0)):
        names, counts = np.unique(clinc.part(part)[1], return_counts=True)
        count = dict(zip(names.tolist(), counts.tolist(), strict=True))
        assert count.pop(OTHER) == outside
        assert set(count) == set(clinc.tables[0].names) and max(count.values()) == each
        assert sum(count.values()) == 150 * each - left_out  # what stands in the test part too
    broad = intents.coarse(clinc)
    assert len(broad.tables[0].names) == 10
    assert (np.unique(broad.part("test")[1], return_counts=True)[1] >= 450).all()


def test_every_name_has_three_wordings_of_its_own(clinc):
    for data in (clinc, intents.coarse(clinc)):
        words = [[route.description for route in table.routes] for table in data.tables]
        assert len(words) == 3 and len({*words[0], *words[1], *words[2]}) == 3 * len(words[0])
        assert len({tuple(table.names) for table in data.tables}) == 1


def test_examples_come_from_the_training_part_alone(clinc):
    table = clinc.with_examples(10, seed=1)
    seen = {text for route in table.routes for text in route.utterances}
    assert {len(route.utterances) for route in table.routes} == {10}
    assert seen <= set(clinc.part("train")[0]) and not seen & set(clinc.part("test")[0])
    assert table != clinc.with_examples(10, seed=2)


def test_composed_conversations_use_a_request_once(clinc):
    texts, routes = clinc.part("test")
    told = intents.composed(texts, routes, 100, seed=0)
    prompts, labels, whole, spans = told.prompts()
    said = [turns[-1]["content"] for turns in prompts]
    truth = dict(zip(texts, routes, strict=True))
    assert len(said) == len(set(said)) and [truth[text] for text in said] == labels
    assert len(set(whole)) == 100
    for span in np.unique(spans):
        rows = np.flatnonzero(spans == span)
        assert len({labels[row] for row in rows}) == 1 and len(set(whole[rows])) == 1 and len(rows) <= 3
    few = intents.composed(texts[:5], routes[:5], 100)
    assert sum(len(labels) for labels in few.routes) == 5  # what there is, and no more


@pytest.mark.parametrize("language", intents.LANGUAGES)
def test_our_own_traffic(language):
    data = intents.traffic(language)
    _, routes = data.part("test")
    assert len(routes) >= 100 and set(routes) == {*data.tables[0].names, OTHER}
    assert len(set(data.texts)) == len(data.texts)
    chinese = np.mean([bool(_CJK.search(text)) for text in data.texts])
    assert chinese == 1 if language == "zh" else chinese < 0.02  # an English request may quote some
    assert bool(_CJK.search(data.tables[0].routes[0].description)) == (language == "zh")
    told = intents.traffic_conversations(language)
    prompts, labels, whole, spans = told.prompts()
    assert len(told.turns) >= 10 and set(labels) <= set(data.tables[0].names) | {OTHER}
    for turns in prompts:
        assert turns[-1]["role"] == "user" and len(turns) % 2 == 1
    assert spans.max() > whole.max() and not set(data.texts) & {turns[-1]["content"] for turns in prompts}


def test_a_language_or_a_file_that_is_none(tmp_path, monkeypatch):
    with pytest.raises(ToolkitError, match="a language of en, zh was expected; got 'fr'"):
        intents.traffic("fr")
    path = tmp_path / intents.FILES[0]
    path.parent.mkdir(parents=True)
    for content, message in (
        ("[1", "one JSON object was expected"),
        ("[]", "an object of lists was expected"),
        (json.dumps({"test": [["text", "no_such_intent"]]}), "test, row 1, field label"),
    ):
        path.write_text(content)
        monkeypatch.setattr(registry, "fetch", lambda name: path if name == intents.FILES[0] else tmp_path / "domains")
        (tmp_path / "domains").write_text(json.dumps({"banking": ["balance"]}))
        monkeypatch.setattr(intents, "_yaml", lambda name: {"intents": {"balance": ["a", "b", "c"]}})
        with pytest.raises(ToolkitError, match=message):
            intents.clinc150.__wrapped__()
