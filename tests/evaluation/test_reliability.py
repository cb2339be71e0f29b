"""Calibration error, reliability, target shares: known answers, and that nothing judged is fitted on."""

import numpy as np
import pandas as pd
import pytest

from tests.conftest import make_outcomes
from toolkit import save_router
from toolkit.cli import main
from toolkit.errors import ToolkitError
from toolkit.evaluation import reliability, statistics
from toolkit.evaluation.protocol import Predictions, cross_predict, holdout
from toolkit.routers.baselines import PromptLength, RandomScore, SingleModel
from toolkit.routers.calibrated import Calibrated
from toolkit.routers.classical import RidgeRegression
from toolkit.routers.clusters import ClusterMeans


def once(count: int) -> np.ndarray:
    return np.ones((1, count), dtype=np.uint16)


def test_calibration_error_by_hand():
    """Two bins of fifteen are used: .2 said and .5 right of 4; .9 said and .75 right of 4."""
    predicted = np.array([0.2] * 4 + [0.9] * 4)
    quality = np.array([1, 1, 0, 0, 1, 1, 1, 0])
    assert reliability.calibration_error(once(8), predicted, quality)[0] == pytest.approx(0.5 * 0.3 + 0.5 * 0.15)


def test_calibration_error_is_guos_definition():
    rng = np.random.default_rng(0)
    predicted, quality = rng.random(500), (rng.random(500) < 0.4).astype(float)
    edges = np.linspace(0, 1, 16)
    place = pd.cut(predicted, edges, include_lowest=True, right=False, labels=False)
    byhand = sum(
        (place == bin_).mean() * abs(predicted[place == bin_].mean() - quality[place == bin_].mean())
        for bin_ in range(15)
        if (place == bin_).any()
    )
    assert reliability.calibration_error(once(500), predicted, quality)[0] == pytest.approx(byhand)


def test_resampled_errors_are_those_of_the_resample():
    rng = np.random.default_rng(0)
    predicted, quality = rng.random(80), rng.random(80)
    counts = statistics.bootstrap_counts(np.arange(80), 5)
    found = reliability.calibration_error(counts, predicted, quality)
    for count, value in zip(counts, found, strict=True):
        rows = np.repeat(np.arange(80), count)
        again = reliability.calibration_error(once(len(rows)), predicted[rows], quality[rows])[0]
        assert value == pytest.approx(again, abs=1e-5)


def test_what_says_the_truth_has_the_noise_of_its_bins(synthetic):
    truth = synthetic.expected_quality
    routers = {"truth": RandomScore(), "overconfident": RandomScore()}
    said = {"truth": truth, "overconfident": np.clip(2 * truth - 0.5, 0, 1)}
    predictions = Predictions(synthetic, "all", routers, said, None)
    rows = reliability.rows(predictions, 100).set_index(["system", "metric"])["value"]
    assert rows["truth", "ece"] < 0.03 < 0.1 < rows["overconfident", "ece"]
    assert rows["truth", "brier"] == pytest.approx((truth * (1 - truth)).mean(), abs=0.01)
    drawn = reliability.diagram(predictions, "truth")
    assert drawn["n"].sum() == truth.size and len(drawn) == 10
    assert ((drawn["low"] <= drawn["predicted"]) & (drawn["predicted"] <= drawn["high"])).sum() >= 8


def test_sharing_fits_changes_no_prediction(synthetic):
    marked = holdout(synthetic.sample(300).pair(), 150)
    member = RidgeRegression(1.0, "lexical")
    together = reliability.calibrated(marked, {"ridge": member})
    apart = cross_predict(
        marked, {"ridge": member, **{f"ridge, {way}": Calibrated(member, way) for way in ("platt", "isotonic")}}
    )
    assert together.quality.keys() == apart.quality.keys()
    for name, predicted in apart.quality.items():
        np.testing.assert_allclose(together.quality[name], predicted, atol=1e-12)


def test_judged_outcomes_play_no_part_in_calibration(synthetic):
    marked = holdout(synthetic.sample(300).pair(), 150)
    judged = (marked.prompts["split"] != "train").to_numpy()
    turned = np.where(judged[:, None], 1 - marked.quality, marked.quality)
    other = make_outcomes(turned, texts=marked.texts, split=marked.prompts["split"])
    routers = {"ridge": RidgeRegression(1.0, "lexical")}
    before, after = reliability.calibrated(marked, routers), reliability.calibrated(other, routers)
    for name, predicted in before.quality.items():
        np.testing.assert_array_equal(predicted, after.quality[name])


def test_shares_are_met_as_foretold_and_groups_stay_whole():
    rng = np.random.default_rng(0)
    scores = np.repeat(rng.normal(size=400), 2)
    groups = np.repeat(np.arange(400), 2)
    drawn = reliability.shares_met(scores, groups, (0.3, 0.5), 400, draws=300)
    assert set(drawn["new"]) == {400}
    for wanted, part in drawn.groupby("wanted"):
        assert part["share"].mean() == pytest.approx(wanted, abs=0.01)
    rows = reliability.share_rows(drawn, "copies", 0.3, 400).set_index("metric")["value"]
    assert rows["share_covered"] < 0.9  # 800 rows are 400 prompts: an interval that takes them for 800 is too narrow
    single = reliability.shares_met(scores[::2], np.arange(400), (0.3,), 200, draws=300)
    assert reliability.share_rows(single, "prompts", 0.3, 200).set_index("metric")["value"]["share_covered"] > 0.9
    with pytest.raises(ToolkitError, match="A reference of 1 to 799"):
        reliability.shares_met(scores, groups, (0.3,), 800)


def test_the_threshold_of_a_share_is_the_weight_of_route(synthetic, tmp_path, capsys):
    pair = synthetic.sample(600).pair()
    train, rest = pair.split(0.5)
    router = PromptLength().fit(train)
    found = reliability.share_threshold(router, rest.texts, 0.3)
    routed = [router.route(text, found.threshold).model for text in rest.texts]
    assert routed.count(pair.names[1]) == found.above == round(found.reached * len(rest))
    tied = ClusterMeans((6,), "lexical").fit(train)  # six scores: the weight must part them, not hit one
    met = reliability.share_threshold(tied, rest.texts, 0.3)
    assert [tied.route(text, met.threshold).model for text in rest.texts].count(pair.names[1]) == met.above

    folder, file = save_router(router, tmp_path / "router"), tmp_path / "prompts.txt"
    file.write_text("\n".join(text.replace("\n", " ") for text in rest.texts), encoding="utf-8")
    assert main(["threshold", str(folder), "--share", "0.3", "--prompts", str(file), "--new", "500"]) == 0
    said = capsys.readouterr().out
    assert "quality per dollar" in said and f"of {len(rest)} reference prompts" in said
    weight = said.split("--weight=")[1].split()[0]
    assert main(["route", "--router", str(folder), f"--weight={weight}", *rest.texts]) == 0
    sent = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert sent.count(pair.names[1]) == found.above
    file.write_text("a\nb\n", encoding="utf-8")
    assert main(["threshold", str(folder), "--share", "0.3", "--prompts", str(file)]) == 0
    assert "no threshold comes nearer" in capsys.readouterr().out
    assert main(["threshold", str(folder), "--share", "3", "--prompts", str(file)]) == 2
    assert "from 0 to 1" in capsys.readouterr().err


def test_a_threshold_needs_two_models_scores_and_a_dearer_second(synthetic):
    train = synthetic.sample(200)
    with pytest.raises(ToolkitError, match="scores for two models"):
        reliability.share_threshold(PromptLength().fit(train), train.texts, 0.3)
    with pytest.raises(ToolkitError, match="scores for two models"):
        reliability.share_threshold(SingleModel().fit(train.pair()), train.texts, 0.3)
    turned = train.pair().subset(models=train.pair().names[::-1])
    with pytest.raises(ToolkitError, match="costs more than"):
        reliability.share_threshold(PromptLength().fit(turned), train.texts, 0.3)
