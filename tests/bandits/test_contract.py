"""What every bandit keeps, whatever it believes: a new one is tested by standing in this list."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest

from toolkit.bandits.adaptive import AdaptiveBeta
from toolkit.bandits.adversarial import EXP3
from toolkit.bandits.base import Bandit
from toolkit.bandits.counting import UCB1, BetaThompson, EpsilonGreedy, GaussianThompson
from toolkit.bandits.dueling import DuelingThompson
from toolkit.bandits.linear import LinearThompson, LinUCB, LogisticThompson
from toolkit.bandits.neural import NeuralUCB
from toolkit.bandits.persistence import BANDITS, load_bandit, save_bandit
from toolkit.errors import ToolkitError

D = 3
MAKE: dict[type[Bandit], Callable[..., Bandit]] = {
    BetaThompson: BetaThompson,
    GaussianThompson: GaussianThompson,
    UCB1: lambda arms, **options: UCB1(arms, 0.5, **options),
    EpsilonGreedy: EpsilonGreedy,
    LinUCB: lambda arms, **options: LinUCB(arms, D, **options),
    LinearThompson: lambda arms, **options: LinearThompson(arms, D, **options),
    LogisticThompson: lambda arms, **options: LogisticThompson(arms, D, **options),
    NeuralUCB: lambda arms, **options: NeuralUCB(arms, D, hidden=8, remembered=200, **options),
    EXP3: lambda arms, **options: EXP3(arms, 0.1, **options),
    AdaptiveBeta: lambda arms, **options: AdaptiveBeta(
        arms, [0.01] * (arms if isinstance(arms, int) else len(arms)), types=D, prior=2.0, **options
    ),
    DuelingThompson: lambda arms, **options: DuelingThompson(
        arms, **{k: v for k, v in options.items() if k != "memory"}
    ),
}
every = pytest.mark.parametrize("cls", MAKE, ids=lambda cls: cls.__name__)
learning = pytest.mark.parametrize(
    "cls", [cls for cls in MAKE if cls is not DuelingThompson], ids=lambda cls: cls.__name__
)


def taught(bandit: Bandit, rounds: int, seed: int = 0, truth: tuple[float, ...] = (0.2, 0.8, 0.5)) -> np.ndarray:
    """Arms chosen in so many rounds of a world whose arms differ by so much, (rounds, streams)."""
    rng, chosen = np.random.default_rng(seed), []
    for _ in range(rounds):
        context = np.column_stack([np.ones(bandit.streams), rng.normal(size=(bandit.streams, D - 1))])
        arm = bandit.scores(context).argmax(axis=1)
        reward = (rng.random(bandit.streams) < np.array(truth)[arm]).astype(float)
        bandit.update(arm, reward, context)
        chosen.append(arm)
    return np.array(chosen)


def test_every_bandit_is_in_the_list():
    assert set(MAKE) == set(BANDITS)


@learning
def test_the_better_arm_is_found_and_found_again_when_it_changes(cls):
    bandit = MAKE[cls](3, streams=5, memory=150)
    first = taught(bandit, 1200)
    assert (first[-300:] == 1).mean() > 0.6 > (first[:3] == 1).mean()
    later = taught(bandit, 1500, 1, (0.8, 0.2, 0.5))
    assert (later[-300:] == 0).mean() > 0.6 > (later[:3] == 0).mean()


@every
def test_one_seed_is_one_run_and_dry_of_what_others_do(cls):
    runs = [taught(MAKE[cls](3, streams=2, seed=7), 60) for _ in range(2)]
    np.testing.assert_array_equal(*runs)


@every
@pytest.mark.parametrize("memory", [math.inf, 50.0])
def test_a_saved_bandit_goes_on_as_if_it_had_not_been_saved(tmp_path, cls, memory):
    bandit = MAKE[cls](["a", "b", "c"], streams=2, seed=3, memory=memory)
    taught(bandit, 40)
    if cls is DuelingThompson:
        bandit.compare(1, 2)
    bandit.add_arm("d")
    bandit.remove_arm("a")
    path = save_bandit(bandit, tmp_path / "deep" / "bandit.npz")
    again = load_bandit(path)
    assert (
        type(again) is cls and again.arms == ["a", "b", "c", "d"] and again.active.tolist() == [False, True, True, True]
    )
    four = (0.2, 0.8, 0.5, 0.6)
    np.testing.assert_array_equal(taught(bandit, 40, 5, four), taught(again, 40, 5, four))
    assert [file.name for file in path.parent.iterdir()] == ["bandit.npz"]
    json.dumps({name: value for name, value in again.state().items() if not isinstance(value, np.ndarray)})


@every
def test_arms_come_and_go(cls):
    bandit = MAKE[cls](3, streams=2)
    taught(bandit, 30)
    bandit.remove_arm("arm 2")
    chosen = taught(bandit, 50)
    assert not (chosen == 1).any() and (bandit.scores(np.ones((2, D)))[:, 1] == -np.inf).all()
    assert bandit.add_arm("arm 2") == 1 and not np.isneginf(bandit.draws(5, np.ones((2, D)))).any()
    assert bandit.add_arm("arm 4") == 3
    fourth = taught(bandit, 400, 2, (0.1, 0.1, 0.1, 0.95))
    assert (fourth == 3).any()
    if cls not in (DuelingThompson,):
        assert (fourth[-100:] == 3).mean() > 0.4
    for mistake in (
        lambda: bandit.add_arm("arm 1"),
        lambda: bandit.remove_arm("none"),
        lambda: bandit.add_arm("e", like="x"),
    ):
        with pytest.raises(ToolkitError, match=f"^{cls.__name__}: expected"):
            mistake()
    alone = MAKE[cls](1)
    with pytest.raises(ToolkitError, match="another arm beside"):
        alone.remove_arm("arm 1")


@learning
def test_rewards_may_come_late_in_any_order_or_never(cls):
    """What is told in another order gives the same belief, unless the bandit forgets or trains on a sample."""
    rng = np.random.default_rng(1)
    told = [(rng.integers(3), float(rng.random()), rng.normal(size=D)) for _ in range(30)]
    one, other, lost = (MAKE[cls](3) for _ in range(3))
    for arm, reward, context in told:
        one.update(arm, reward, context)
        lost.update(arm, math.nan, context)
    for arm, reward, context in told[::-1]:
        other.update(arm, reward, context)
    if cls not in (EXP3, NeuralUCB, LogisticThompson):
        for name, values in one._arrays().items():
            np.testing.assert_allclose(values, other._arrays()[name], atol=1e-9, err_msg=name)
    for name, values in MAKE[cls](3)._arrays().items():
        np.testing.assert_array_equal(values, lost._arrays()[name])


@learning
def test_streams_are_independent_copies(cls):
    """Told the same, a stream beside others believes what it believes alone."""
    rng = np.random.default_rng(2)
    alone, beside = MAKE[cls](3), MAKE[cls](3, streams=3)
    for step in range(40):
        arm, reward, context = rng.integers(3), float(rng.random()), rng.normal(size=D)
        alone.update(arm, reward, context)
        beside.update([arm], [reward], context, stream=[1])
        if step % 2:
            beside.update([0, 2], [0.1, 0.9], np.ones((2, D)), stream=[0, 2])
    if cls is not NeuralUCB:  # its batches are drawn for all
        for name, values in alone._arrays().items():
            np.testing.assert_allclose(values[0], beside._arrays()[name][1], err_msg=name)


@pytest.mark.parametrize("cls", [GaussianThompson, LinUCB, LinearThompson, BetaThompson, UCB1, EpsilonGreedy])
def test_a_prediction_is_a_prior_that_rewards_correct(cls):
    bandit = MAKE[cls](3)
    predicted, context = np.array([0.9, 0.5, 0.1]), np.eye(1, D)[0]
    if cls is not UCB1:
        assert np.bincount([bandit.scores(context, predicted)[0].argmax() for _ in range(200)]).argmax() == 0
    for _ in range(300):
        bandit.update(0, 0.2, context, predicted)
        bandit.update(1, 0.6, context, predicted)
        bandit.update(2, 0.1, context, predicted)
    assert np.bincount([bandit.scores(context, predicted)[0].argmax() for _ in range(200)]).argmax() == 1


@every
def test_mistakes_are_told_and_teach_nothing(cls):
    bandit = MAKE[cls](3, streams=2)
    before = {name: values.copy() for name, values in bandit._arrays().items()}
    x = np.ones((2, D))
    for arm, reward, options in (
        ([3, 0], [1, 1], {}), ([0, -1], [1, 1], {}), ([0.5, 1], [1, 1], {}), ([0, 1], [1.1, 0], {}),
        ([0, 1], [-0.1, 0], {}),
        ([0, 1], [1], {}), ([0, 1], [1, 1], {"stream": [0, 0]}), ([0, 1], [1, 1], {"stream": [0, 2]}),
        ([0, 1], [1, 1], {"predicted": np.ones((2, 4))}), ([0, 1], [1, 1], {"predicted": np.full((2, 3), np.nan)}),
    ):  # fmt: skip
        with pytest.raises(ToolkitError, match=f"^{cls.__name__}: expected"):
            bandit.update(arm, reward, x, **options)
    if cls.contextual:
        for wrong in (None, np.ones((2, D + 1)), np.full((2, D), np.inf), np.ones(D)):
            with pytest.raises(ToolkitError, match="context"):
                bandit.scores(wrong)
    for name, values in bandit._arrays().items():
        np.testing.assert_array_equal(values, before[name])
    for wrong in (0, [], ["a", "a"], [1, 2]):
        with pytest.raises(ToolkitError, match="different names"):
            MAKE[cls](wrong)
    with pytest.raises(ToolkitError, match="streams"):
        MAKE[cls](2, streams=0)
