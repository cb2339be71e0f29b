"""The harness on a clock of its own: what it reports of systems whose times are known, and how often it is right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import tiny_bert
from toolkit import encoders, hardware, save_router
from toolkit.errors import ToolkitError
from toolkit.evaluation import architectures, latency, latency_study, serving
from toolkit.evaluation.contenders import SCOPE, full_cache, gateway, many_models
from toolkit.evaluation.latency import Timings, interleaved, stages, throughput, usd_per_million
from toolkit.routers.bert import load_classifier
from toolkit.routers.classical import RidgeRegression


class Machine:
    """A clock that only the systems move: each call takes its own time, times what the machine does to all of them."""

    def __init__(self, monkeypatch, seed=0, cold=1.0):
        self.now, self.log, self.cold = 0.0, [], cold
        self.rng = np.random.default_rng(seed)
        monkeypatch.setattr(latency.time, "perf_counter", lambda: self.now)

    def system(self, name, seconds, spread=0.1):
        def call(one):
            first = not self.log or self.log[-1][0] != name
            stretch = 1 + 0.5 * (int(self.now / 2) % 2)  # two seconds slow, two seconds fast
            self.now += seconds * stretch * np.exp(spread * self.rng.normal()) * (self.cold if first else 1)
            self.log.append((name, one))

        return call


def test_a_ratio_holds_whatever_the_machine_does_to_both(monkeypatch):
    """Stretches of noise and a cold first call would each move a median by half; the ratio is within two percent."""
    machine = Machine(monkeypatch, cold=3.0)
    timings = interleaved(
        {"slow": machine.system("slow", 0.03), "fast": machine.system("fast", 0.01)}, range(50), budget_s=20
    )
    row = timings.speedups("slow").iloc[0]
    assert row["system"] == "fast" and row["value"] == pytest.approx(3, rel=0.02)
    assert row["ci_low"] < 3 < row["ci_high"] < 1.1 * row["ci_low"]
    assert timings.seconds["fast"].shape == timings.seconds["slow"].shape
    assert machine.now < 25


@pytest.mark.parametrize("options", [{"budget_s": 6, "tight": 0.0}, {}])
def test_intervals_cover_the_truth(monkeypatch, options):
    """95% intervals of a ratio of 2, in a hundred measurements; the defaults stop as soon as they look tight."""
    covered = 0
    for seed in range(100):
        machine = Machine(monkeypatch, seed)
        systems = {"a": machine.system("a", 0.02, 0.3), "b": machine.system("b", 0.01, 0.3)}
        row = interleaved(systems, range(9), **options).speedups("a", 300).iloc[0]
        covered += row["ci_low"] <= 2 <= row["ci_high"]
    assert covered >= 86


def test_blocks_widen_what_stretches_of_noise_move():
    """Stretches of 25 rounds: drawn one by one, rounds would pretend to be independent."""
    taken = np.repeat([[1.0], [1.5]] * 8, 25, axis=0)
    spread = {block: Timings({"x": taken}, True, block=block).means().iloc[0] for block in (1, 25)}
    width = {block: row["ci_high"] - row["ci_low"] for block, row in spread.items()}
    assert width[25] > 2.5 * width[1]


def test_systems_take_turns_on_the_same_inputs(monkeypatch):
    machine = Machine(monkeypatch)
    systems = {name: machine.system(name, 0.01) for name in "abc"}
    timings = interleaved(systems, range(1000), budget_s=0.0, calls=4, least=6)
    visits = [machine.log[start : start + 5] for start in range(6, len(machine.log), 5)]  # after the warm-up
    assert len(visits) == 18 and all(len({name for name, _ in visit}) == 1 for visit in visits)
    orders = set()
    for start in range(0, 18, 3):
        names, inputs = zip(*[(v[0][0], tuple(one for _, one in v)) for v in visits[start : start + 3]], strict=True)
        assert sorted(names) == list("abc") and len(set(inputs)) == 1
        orders.add(names)
    assert len(orders) > 1
    assert not timings.settled and timings.seconds["a"].shape == (6, 4)


def test_a_fast_system_takes_its_inputs_again(monkeypatch):
    machine = Machine(monkeypatch)
    systems = {"fast": machine.system("fast", 0.001, 0.0), "slow": machine.system("slow", 0.05, 0.0)}
    timings = interleaved(systems, range(9), budget_s=0.0, calls=2, least=2, visit_s=0.02)
    assert timings.seconds["fast"].shape == timings.seconds["slow"].shape == (2, 2)
    calls = [name for name, _ in machine.log]
    assert (calls.count("fast"), calls.count("slow")) == (2 + 2 * (1 + 2 * 10), 2 + 2 * (1 + 2))
    assert timings.repeated == {"fast"}
    slow, fast = (set(rows["metric"]) for _, rows in Timings(
        {name: np.ones((60, 5)) for name in ("slow", "fast")}, True, timings.repeated
    ).percentiles().groupby("system", sort=False))  # fmt: skip
    assert fast == {"p50_ms"} < slow


def test_measuring_stops_when_the_medians_are_known(monkeypatch):
    machine = Machine(monkeypatch)
    timings = interleaved({"steady": machine.system("steady", 0.001, 0.01)}, range(9), budget_s=1000, tight=0.02)
    assert timings.settled and len(timings.seconds["steady"]) <= 30


def test_percentiles_are_numpys_and_rare_ones_are_left_out():
    taken = np.random.default_rng(0).lognormal(size=(60, 5))
    rows = Timings({"x": taken}, True).percentiles().set_index("metric")
    assert list(rows.index) == ["p50_ms", "p90_ms", "p95_ms"]  # three calls beyond the 99th are no percentile
    for metric, percent in (("p50_ms", 50), ("p95_ms", 95)):
        assert rows.loc[metric, "value"] == pytest.approx(1000 * np.percentile(taken, percent))
        assert rows.loc[metric, "ci_low"] < rows.loc[metric, "value"] < rows.loc[metric, "ci_high"]
    assert "p99_ms" in set(Timings({"x": np.tile(taken, (4, 1))}, True).percentiles()["metric"])


def test_rates_prices_and_stages():
    timings = Timings({"x": np.full((10, 5), 0.5)}, True)
    assert throughput(timings, 32).iloc[0]["value"] == pytest.approx(64)
    assert usd_per_million(np.array([0.0036]), 1.0) == pytest.approx(1.0)  # 3.6 ms for a dollar an hour
    rows = stages({"tokenise": np.full(100, 0.001), "encode": np.full(100, 0.002)}, "x")
    assert rows["value"].tolist() == pytest.approx([1, 2]) and rows["note"].tolist() == ["tokenise", "encode"]
    for wrong in ({}, {"calls": 0}, {"least": 1}):
        with pytest.raises(ToolkitError, match="a system, a call, more inputs than calls"):
            interleaved({"x": len} if wrong else {}, [[1]], **wrong)


@given(st.integers(8, 512), st.sampled_from(["en", "zh"]), st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_prompts_have_exactly_the_tokens_asked_for(tokens, language, seed):
    _, tokenizer = load_classifier(str(tiny_bert()))
    texts = architectures.prompts_of(tokens, 2, language, seed)
    assert [len(ids) for ids in tokenizer(texts)["input_ids"]] == [tokens, tokens]


def test_what_is_timed_has_the_published_sizes():
    """Parameters of bert-base-uncased and xlm-roberta-base with a head of two labels, as their cards have them."""
    for shape, millions in (("MiniLM", 22.7), ("BERT-base", 109.5), ("XLM-RoBERTa-base", 278.0)):
        network, tokenizer = architectures.classifier(shape)
        assert sum(part.numel() for part in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
        chance = architectures.plain(network, tokenizer)(["one", "another prompt"])
        np.testing.assert_allclose(chance.sum(axis=1), 1, atol=1e-5)
    with pytest.raises(ToolkitError, match="No architecture 'GPT'"):
        architectures.classifier("GPT")
    with pytest.raises(ToolkitError, match="8 to 512 tokens"):
        architectures.prompts_of(600, 1)


@pytest.mark.gpu
def test_on_a_gpu_answers_are_the_cpus_and_every_variant_is_timed():
    if hardware.cuda() is None:
        pytest.skip("no CUDA GPU on this machine")
    texts = architectures.prompts_of(32, 4)
    expected = architectures.plain(*architectures.classifier("MiniLM"))(texts)
    for half, compiled in ((False, False), (True, False), (True, True)):
        call = architectures.plain(*architectures.classifier("MiniLM"), device="cuda", half=half, compiled=compiled)
        np.testing.assert_allclose(call(texts), expected, atol=1e-2 if half else 1e-4)
    rows = latency_study.on_gpu("cuda", ("MiniLM",), 1.0, 100)
    assert {"MiniLM classifier, GPU fp32", "MiniLM classifier, GPU fp16, CUDA graphs"} < set(rows["system"])


def test_without_a_gpu_nothing_is_invented():
    assert latency_study.on_gpu("cpu", ("MiniLM",), 1.0, 100).empty


def test_a_process_is_watched_from_its_start(synthetic, tmp_path):
    data = many_models(synthetic.sample(60))
    router = RidgeRegression(encoder="minilm-int8").fit(data)
    whole = gateway(router, full_cache(encoders.get(router.encoder), 200))
    texts = [f"{text} {number}" for number, text in enumerate(data.texts[:20])]
    seconds, answers = serving.together(lambda text: whole.route(text, SCOPE), texts, 4)
    assert seconds > 0 and all(routed.found.rule in ("off", "unreadable") and not routed.hit for routed in answers)
    alone = [whole.route(text, SCOPE).predicted for text in texts]  # answers come in the order of the texts
    np.testing.assert_array_equal([routed.predicted for routed in answers], alone)
    taken, held = serving.cold_starts(save_router(router, tmp_path / "router"), 1)
    assert taken[0] > 0 and 5e7 < held[0] < 5e9
    with pytest.raises(ToolkitError, match="a router that loads and routes was expected"):
        serving.cold_starts(tmp_path, 1)
    noise = serving.Conditions().end()
    assert set(noise) == {"load_before", "mhz", "steal_share", "preempted_per_s"}
