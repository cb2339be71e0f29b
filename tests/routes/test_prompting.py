"""What a generative router is asked and what it answers: the gateway's published cases, and words that break out."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny_causal import TABLE
from toolkit.datasets import registry
from toolkit.errors import ToolkitError
from toolkit.prompt import as_turns
from toolkit.routers.arch import ArchRouter
from toolkit.routes import conversation, dialects
from toolkit.routes.answers import answer_of, route_of

GATEWAY_TOKENS = 214  # of the published template, by its own estimate


def _turns(*lengths: int) -> list[dict[str, str]]:
    """Turns of user and assistant in alternation, ASCII, so many bytes each."""
    return [{"role": ("user", "assistant")[at % 2], "content": "x" * length} for at, length in enumerate(lengths)]


# The cases that the gateway's own tests have: lengths of the turns in bytes, the limit, and how many turns are kept.
PUBLISHED = {
    "an assistant's turn exceeds": ((2, 34, 73), 235, 1),
    "a user's turn exceeds and stays": ((2, 34, 39, 20, 45), 230, 3),
    "the last turn alone exceeds": ((2, 34, 265), 200, 1),
    "all fits": ((2, 34, 73), 1 << 60, 3),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_conversations_are_cut_as_the_gateway_cuts_them(case):
    lengths, limit, kept = PUBLISHED[case]
    turns = _turns(*lengths)
    assert conversation.kept(turns, limit, GATEWAY_TOKENS) == turns[-kept:]


ROLES = st.sampled_from(["user", "assistant", "system", "tool"])


@given(st.lists(st.tuples(ROLES, st.text(max_size=40)), max_size=12), st.integers(0, 60), st.integers(0, 30))
def test_what_is_kept_is_an_unbroken_end(said, budget, spent):
    turns = [{"role": role, "content": text} for role, text in said]
    readable = [turn for turn in turns if turn["role"] in ("user", "assistant") and turn["content"]]
    kept = conversation.kept(turns, budget, spent)
    assert kept == readable[len(readable) - len(kept) :]
    assert bool(kept) == bool(readable)
    size = spent + sum(conversation.estimated_tokens(turn["content"]) for turn in kept)
    assert size <= budget or len(kept) <= 1 or kept[0]["role"] == "user"
    if len(kept) > 1:  # all but the one that exceeds the budget are within it
        assert size - conversation.estimated_tokens(kept[0]["content"]) <= budget


def test_content_of_other_kinds_becomes_text():
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "b"}},
        {"type": "text", "text": "c"},
    ]
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    found = as_turns([{"role": "user", "content": parts}, call, {"role": "tool", "content": "22", "tool_call_id": "1"}])
    assert found == [
        {"role": "user", "content": "a\nc"},
        {"role": "assistant", "content": ""},
        {"role": "tool", "content": "22"},
    ]
    assert conversation.kept(found, 2048, 0) == found[:1]
    for wrong in (
        [{"role": "user", "content": 7}],
        [{"content": "a"}],
        [{"role": "user", "content": [{"type": "text"}]}],
        7,
    ):
        with pytest.raises(ToolkitError, match="A prompt is a string or a list of messages"):
            as_turns(wrong)


NAMES = ["Image generation", "what's cooking", "travel"]

ANSWERS = {
    '{"route": "Image generation"}': "Image generation",
    '{"route": ""}': "other",
    '{"route": null}': "other",
    "{}": "other",
    "": "other",
    "{'route': 'Image generation'}\\n": "Image generation",
    '```json\n{"route": "Image generation"}\n```': "Image generation",
    '```\n{"route": "travel"}\n```': "travel",
    '{"route": "other"}': "other",
    '{"route": "image generation"}': "other",
    '{"route": "what\'s cooking"}': "what's cooking",
    "{'route': 'what's cooking'}": "what's cooking",
    "{'route': 'what\\'s cooking'}": "what's cooking",
    "{'route': \"what's cooking\"}": "what's cooking",
    " \n{'route': None}": "other",
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_are_read(answer):
    assert route_of(answer, NAMES) == ANSWERS[answer]


@pytest.mark.parametrize(
    "answer", ['{"route": "travel"', "travel", '["travel"]', '{"route": 7}', "[" * 10_000, "{'a': {}}[0]"]
)
def test_answers_that_are_none_are_refused(answer):
    with pytest.raises(ToolkitError, match="was expected; the router said"):
        route_of(answer, NAMES)


@given(st.text(min_size=1).filter(lambda name: name.isprintable() and name.strip() and name != "other"))
def test_any_name_survives_its_own_answer(name):
    assert route_of(answer_of(name), [name]) == name


def test_a_template_of_ones_own(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("R {routes} C {conversation}\n")
    router = ArchRouter(TABLE, template=path)
    prompt = router.prompt([{"role": "system", "content": "no"}, {"role": "user", "content": "你好 {routes}"}])
    routes, said = prompt.removeprefix("R ").split(" C ")
    assert json.loads(routes) == [{"name": one.name, "description": one.description} for one in TABLE.routes]
    assert said == '[{"role":"user","content":"你好 {routes}"}]\n'  # what is said fills no slot, and nothing is escaped
    assert ": " in ArchRouter(TABLE, template=path, spaced=True).prompt([]).split(" C ")[0].removeprefix("R ")
    kept = router.clone()  # the text is kept, whatever becomes of the file
    path.write_text("only {routes}")
    assert kept.prompt([]).startswith("R [") and router.params["template"].startswith("R {routes}")
    with pytest.raises(ToolkitError, match=r"\{conversation\} was expected once; it stands there 0 times"):
        ArchRouter(TABLE, template=path)
    with pytest.raises(ToolkitError, match="a template in UTF-8 was expected"):
        ArchRouter(TABLE, template=tmp_path / "absent.txt")
    with pytest.raises(ToolkitError, match="No dialect 'card'"):
        ArchRouter(TABLE, dialect="card")


def test_the_gateways_prompt_is_taken_from_its_file(tmp_path, monkeypatch):
    """A stand-in of our own for the published file, since its text is no part of this project."""
    source = 'pub const ARCH_ROUTER_V1_SYSTEM_PROMPT: &str = r#"\nA {routes} B {"route": "other"} {conversation}\n"#;\n'
    path = tmp_path / dialects.GATEWAY_FILE
    path.parent.mkdir(parents=True)
    path.write_text(source)
    monkeypatch.setenv("TOOLKIT_DATA_MIRROR", str(tmp_path))
    dialects._gateway.cache_clear()
    with pytest.raises(ToolkitError, match="sha256:9108bc0a"):
        ArchRouter(TABLE, dialect="gateway").prompt([])
    for content, message in ((source, ""), ("// moved elsewhere", "ARCH_ROUTER_V1_SYSTEM_PROMPT was expected")):
        path.write_text(content)
        known = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
        monkeypatch.setitem(registry._pooch().registry, dialects.GATEWAY_FILE, known)
        dialects._gateway.cache_clear()
        if message:
            with pytest.raises(ToolkitError, match=message):
                ArchRouter(TABLE, dialect="gateway").prompt([])
        else:
            assert ArchRouter(TABLE, dialect="gateway").prompt([]).startswith('\nA [{"name":"code_writing"')
    dialects._gateway.cache_clear()


def test_the_published_prompt_has_the_published_length():
    if registry.where(dialects.GATEWAY_FILE) is None:
        pytest.skip("the gateway's file is not at hand; set TOOLKIT_DATA_MIRROR or fetch it once")
    dialects._gateway.cache_clear()
    assert dialects.dialect("gateway").tokens == GATEWAY_TOKENS
