"""Each algorithm against its closed form, its paper, or MABWiser on the same stream."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from toolkit.bandits.adversarial import EXP3
from toolkit.bandits.counting import UCB1, BetaThompson, EpsilonGreedy, GaussianThompson
from toolkit.bandits.dueling import DuelingThompson
from toolkit.bandits.features import Components, ScoreFactors
from toolkit.bandits.linear import LinearThompson, LinUCB, LogisticThompson
from toolkit.bandits.neural import NeuralUCB
from toolkit.bandits.pacing import BudgetPacer
from toolkit.bandits.router import ThompsonSamplingRouter
from toolkit.errors import ToolkitError
from toolkit.routers.classical import RidgeRegression
from toolkit.routers.persistence import load_router, save_router


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.05, 2), st.floats(0.05, 2))
def test_the_posterior_is_that_of_a_normal_mean(rewards, prior, noise):
    """Bishop 2006, equations 2.141 and 2.142."""
    bandit = GaussianThompson(2, prior, noise)
    for value in rewards:
        bandit.update(1, value, predicted=np.full(2, 0.3))
    count, errors = len(rewards), np.array(rewards) - 0.3
    variance = 1 / (1 / prior**2 + count / noise**2)
    mean = count * prior**2 / (count * prior**2 + noise**2) * errors.mean() if count else 0.0
    (found_mean,), (found_sd,) = bandit.posterior()
    np.testing.assert_allclose([found_mean[1], found_sd[1]], [mean, variance**0.5], atol=1e-9)
    np.testing.assert_allclose([found_mean[0], found_sd[0]], [0, prior])


def test_draws_have_the_law_of_the_posterior():
    beta, normal = BetaThompson(2, prior=(2, 3), seed=1), GaussianThompson(2, seed=4)
    for bandit in (beta, normal):
        bandit.update(0, 1.0)
        bandit.update(0, 0.25)
    drawn = beta.draws(4000)[:, 0]
    assert stats.kstest(drawn[:, 0], stats.beta(3.25, 3.75).cdf).pvalue > 1e-3
    assert stats.kstest(drawn[:, 1], stats.beta(2, 3).cdf).pvalue > 1e-3
    (mean,), (sd,) = normal.posterior()
    for arm in range(2):
        assert stats.kstest(normal.draws(4000)[:, 0, arm], stats.norm(0.5 + mean[arm], sd[arm]).cdf).pvalue > 1e-3


def test_a_capped_count_keeps_its_mean_and_keeps_learning():
    bandit = BetaThompson(2, prior=(5, 5), most=200)
    for _ in range(2000):
        bandit.update(0, 0.9)
    a, b = bandit.posterior()
    assert a[0, 0] + b[0, 0] == pytest.approx(200) and a[0, 0] / 200 == pytest.approx((5 + 190 * 0.9) / 200)
    for _ in range(300):
        bandit.update(0, 0.1)
    assert bandit.posterior()[0][0, 0] / 200 < 0.4


@given(seed=st.integers(0, 1000), alpha=st.floats(0, 3), penalty=st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_linucb_scores_are_those_of_mabwiser(seed, alpha, penalty):
    mab = pytest.importorskip("mabwiser.mab")
    rng, d, arms = np.random.default_rng(seed), 5, ["a", "b", "c"]
    contexts, rewards, chosen = rng.normal(size=(60, d)), rng.random(60), rng.integers(0, 3, 60)
    theirs = mab.MAB(arms, mab.LearningPolicy.LinUCB(alpha=alpha, l2_lambda=penalty))
    theirs.fit([arms[arm] for arm in chosen], rewards, contexts)
    ours = LinUCB(arms, d, alpha, prior_precision=penalty)
    for arm, reward, context in zip(chosen, rewards, contexts, strict=True):
        ours.update(arm, reward, context)
    for query in rng.normal(size=(5, d)):
        expected = theirs.predict_expectations([query])
        np.testing.assert_allclose(ours.scores(query)[0], [expected[arm] for arm in arms], rtol=1e-6, atol=1e-8)


def test_thompson_agrees_with_mabwiser_in_distribution():
    mab = pytest.importorskip("mabwiser.mab")
    rng, arms = np.random.default_rng(0), ["a", "b"]
    chosen, rewards = rng.integers(0, 2, 40), rng.integers(0, 2, 40)
    theirs = mab.MAB(arms, mab.LearningPolicy.ThompsonSampling(), seed=5)
    theirs.fit([arms[arm] for arm in chosen], rewards)
    ours = BetaThompson(arms)
    for arm, reward in zip(chosen, rewards, strict=True):
        ours.update(arm, float(reward))
    drawn = [theirs.predict_expectations() for _ in range(3000)]
    for column, name in enumerate(arms):
        assert stats.ks_2samp(ours.draws(3000)[:, 0, column], [one[name] for one in drawn]).pvalue > 1e-3


def test_ucb1_and_epsilon_greedy_are_their_formulas():
    ucb, greedy = UCB1(3, alpha=2.0), EpsilonGreedy(3, epsilon=0.25, seed=2)
    for bandit in (ucb, greedy):
        for arm, reward in ((0, 1.0), (0, 0.0), (1, 0.75)):
            bandit.update(arm, reward)
    width = [2 * math.sqrt(2 * math.log(3) / pulls) for pulls in (2, 1)]
    np.testing.assert_allclose(ucb.scores()[0], [0.5 + width[0], 0.75 + width[1], np.inf])
    chosen = np.bincount(greedy.draws(4000)[:, 0].argmax(axis=1), minlength=3) / 4000
    np.testing.assert_allclose(chosen, [0.25 / 3, 0.75 + 0.25 / 3, 0.25 / 3], atol=0.03)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_linear_posterior_is_that_of_bayesian_regression(seed):
    """Bishop 2006, equations 3.50 and 3.51, prior and predictions included; draws have its law."""
    rng, d = np.random.default_rng(seed), 4
    root = rng.normal(size=(d, d))
    precision, start = root @ root.T + np.eye(d), rng.normal(size=(2, d))
    bandit = LinearThompson(2, d, prior_mean=start, prior_precision=precision, noise_sd=0.7, spread=0.5, seed=seed)
    x, y, offset = rng.normal(size=(30, d)), rng.random(30), rng.random(30)
    for context, reward, known in zip(x, y, offset, strict=True):
        bandit.update(1, reward, context, predicted=np.array([0, known]))
    posterior = precision + x.T @ x / 0.49
    mean = np.linalg.solve(posterior, precision @ start[1] + x.T @ (y - offset) / 0.49)
    np.testing.assert_allclose(bandit.weights_[0, 1], mean, atol=1e-8)
    np.testing.assert_allclose(bandit.covariance_[0, 1], np.linalg.inv(posterior), atol=1e-8)
    np.testing.assert_allclose(bandit.weights_[0, 0], start[0])
    query = rng.normal(size=d)
    sd = 0.5 * math.sqrt(query @ np.linalg.inv(posterior) @ query)
    drawn = bandit.draws(3000, query)[:, 0, 1]
    assert stats.kstest(drawn, stats.norm(query @ mean, sd).cdf).pvalue > 1e-4


def test_what_is_forgotten_goes_back_to_the_prior():
    """In one dimension belief between updates is exact; after an age it is the prior, neither wider nor elsewhere."""
    bandit = LinearThompson(2, 1, prior_mean=0.5, prior_precision=4.0, noise_sd=0.5, memory=100.0)
    for _ in range(200):
        bandit.update(0, 1.0, np.ones(1))
    sharp = [values[0, 0] for values in bandit.belief(np.ones((1, 1)))]
    for _ in range(2000):
        bandit.update(1, 1.0, np.ones(1))
    mean, variance = (values[0, 0] for values in bandit.belief(np.ones((1, 1))))
    assert sharp[0] > 0.95 and sharp[1] < 0.01
    assert mean == pytest.approx(0.5, abs=1e-3) and variance == pytest.approx(0.25, rel=1e-3)
    bandit.update(0, 1.0, np.ones(1))
    assert bandit.weights_[0, 0, 0] == pytest.approx((4 * 0.5 + 4 * 1.0) / 8, abs=1e-3)


def test_logistic_thompson_learns_the_chances():
    """Against the mode of the same posterior by scikit-learn."""
    from sklearn.linear_model import LogisticRegression

    rng, d = np.random.default_rng(3), 3
    x = rng.normal(size=(1500, d))
    y = (rng.random(1500) < 1 / (1 + np.exp(-x @ [1.0, -2.0, 0.5]))).astype(float)
    bandit = LogisticThompson(1, d)
    for context, reward in zip(x, y, strict=True):
        bandit.update(0, reward, context)
    mode = LogisticRegression(C=1.0, fit_intercept=False).fit(x, y).coef_[0]
    np.testing.assert_allclose(bandit.weights_[0, 0], mode, atol=0.15)
    scores = bandit.draws(200, x[0])
    assert ((scores > 0) & (scores < 1)).all()


def test_exp3_draws_by_its_chances_and_late_rewards_count_by_the_chance_of_then():
    bandit = EXP3(3, gamma=0.3, seed=1)
    for _ in range(50):
        bandit.update(0, 1.0)
    chance = bandit.chances()[0]
    assert chance.sum() == pytest.approx(1) and chance.min() >= 0.1 - 1e-12 and chance.argmax() == 0
    drawn = np.bincount(bandit.draws(6000)[:, 0].argmax(axis=1), minlength=3) / 6000
    np.testing.assert_allclose(drawn, chance, atol=0.03)
    late = EXP3(2, gamma=0.3)
    for arm in [0] * 100 + [1] * 100:
        late.update(arm, 1.0, chance=0.5)
    np.testing.assert_allclose(late.gain_, [[200, 200]])  # in whatever order they were told
    with pytest.raises(ToolkitError, match="a chance above 0"):
        late.update(0, 1.0, chance=0.0)


def test_duels_find_the_arm_that_beats_the_others():
    """A Condorcet winner whose margin over the next is small, and a cycle below it."""
    beats = np.array([[0.5, 0.6, 0.7, 0.7], [0.4, 0.5, 0.8, 0.2], [0.3, 0.2, 0.5, 0.8], [0.3, 0.8, 0.2, 0.5]])
    bandit, rng, firsts = DuelingThompson(4, seed=5), np.random.default_rng(6), []
    for _ in range(1500):
        first, second = bandit.pair()
        firsts.append(first)
        if first != second:
            won = rng.random() < beats[first, second]
            bandit.compare(*((first, second) if won else (second, first)))
    assert np.mean(np.array(firsts)[-300:] == 0) > 0.8
    duels = (bandit.wins_[0] + bandit.wins_[0].T).sum(axis=1)
    assert duels[0] > duels[1:].max()
    for pair in ((0, 0), (0, 4), (0.5, 1)):
        with pytest.raises(ToolkitError, match="two different arms"):
            bandit.compare(*pair)


@given(seed=st.integers(0, 500), rank=st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_factors_give_predictions_back_as_well_as_any_of_their_rank(seed, rank):
    """Eckart and Young: the loadings at hand are the best approximation of that rank."""
    rng = np.random.default_rng(seed)
    predicted = rng.random((40, 6)) @ np.diag([3, 2, 1, 0.5, 0.2, 0.1])
    features = ScoreFactors(rank).fit(predicted)
    again = features.transform(predicted) @ features.loadings().T
    values = np.linalg.svd(predicted - predicted.mean(axis=0), compute_uv=False)
    kept = rank
    assert ((predicted - again) ** 2).sum() == pytest.approx((values[kept:] ** 2).sum(), abs=1e-8)
    np.testing.assert_allclose(features.transform(predicted)[:, 1:].std(axis=0), 1, atol=1e-6)
    assert ScoreFactors(8).fit(np.ones((5, 3))).dimension == 2  # nothing differs: one factor that is nothing
    with pytest.raises(ToolkitError, match="embeddings say nothing of models"):
        Components(2).fit(predicted).loadings()


def test_a_pacer_meets_its_budget_whatever_calls_cost():
    rng = np.random.default_rng(0)
    quality, cost = np.array([0.5, 0.7, 0.8]), np.array([1e-4, 1e-3, 5e-3])
    for share in (0.02, 0.1, 0.3):  # at no weight at all, half of the dearest is spent
        budget = 4000 * (cost[0] + share * (cost[2] - cost[0]))
        pacer = BudgetPacer(budget, 4000, streams=3)
        for _ in range(4000):
            noisy = quality + 0.3 * rng.normal(size=(3, 3))
            arm = (noisy - pacer.weight[:, None] * cost).argmax(axis=1)
            pacer.spend(cost[arm] * rng.lognormal(-0.125, 0.5, 3))
        np.testing.assert_allclose(pacer.spent_usd / budget, 1, atol=0.01)
    for wrong in ((0, 10), (1, 0), (-1, 10), (math.nan, 10)):
        with pytest.raises(ToolkitError, match="BudgetPacer"):
            BudgetPacer(*wrong)


def test_a_thompson_sampling_router_starts_as_its_member_and_learns(synthetic, tmp_path):
    data = synthetic.sample(400)
    router = ThompsonSamplingRouter(RidgeRegression(encoder="lexical"), folds=3, seed=1).fit(data)
    member = RidgeRegression(encoder="lexical").fit(data)
    texts = data.texts[:50]
    np.testing.assert_allclose(router.predict(texts), member.predict(texts))
    before, context = router.predict(texts), router.context(member.predict(texts))
    for row in range(50):
        for _ in range(20):
            router.bandit_.update(0, 1.0, context[row])
    assert (router.predict(texts)[:, 0] > before[:, 0]).mean() > 0.9
    again = load_router(save_router(router, tmp_path / "router"))
    np.testing.assert_allclose(again.predict(texts), router.predict(texts))
    np.testing.assert_array_equal(again.bandit_.scores(context[0]), router.bandit_.scores(context[0]))


def test_a_new_arm_is_not_trusted_as_if_it_had_labels(synthetic, tmp_path):
    router = ThompsonSamplingRouter(RidgeRegression(encoder="lexical"), folds=2).fit(synthetic.sample(600))
    bandit, context = router.bandit_, np.eye(1, router.features_.dimension)
    column = bandit.add_arm("new")
    mean, variance = bandit.belief(context)
    assert variance[0, column] > 10 * variance[0, :column].max()
    assert mean[0, :column].min() <= mean[0, column] <= mean[0, :column].max()
    for _ in range(50):
        bandit.update(column, 1.0, context[0])
    assert bandit.belief(context)[0][0, column] > 0.85
    again = load_router(save_router(router, tmp_path / "router"))  # what it learned of an arm that came is kept
    assert again.bandit_.arms == bandit.arms
    np.testing.assert_array_equal(again.bandit_.scores(context), bandit.scores(context))


def test_neural_ucb_is_its_gradients():
    """Width and one step against finite differences of the network."""
    rng = np.random.default_rng(0)
    bandit = NeuralUCB(3, 4, hidden=5, alpha=0.7, penalty=2.0, batch=1, remembered=1, seed=1)
    bandit.outer_ = rng.normal(size=bandit.outer_.shape)
    x = rng.normal(size=4)

    def output(arm, inner, outer):
        hidden = np.maximum(np.r_[x, 1] @ inner, 0)
        return outer[arm] @ np.r_[hidden, 1]

    def gradients(arm):
        layers, found = (bandit.inner_[0], bandit.outer_[0]), []
        for which, values in enumerate(layers):
            gradient = np.zeros_like(values)
            for place in np.ndindex(values.shape):
                ends = []
                for sign in (1, -1):
                    changed = [layer.copy() for layer in layers]
                    changed[which][place] += sign * 1e-6
                    ends.append(output(arm, *changed))
                gradient[place] = (ends[0] - ends[1]) / 2e-6
            found.append(gradient)
        return found

    for _ in range(2):
        scores = bandit.scores(x)[0]
        for arm in range(3):
            inner, outer = gradients(arm)
            width = np.sqrt(2.0 * ((inner**2 / bandit.inner_z_[0]).sum() + (outer**2 / bandit.outer_z_[0]).sum()))
            assert scores[arm] == pytest.approx(output(arm, bandit.inner_[0], bandit.outer_[0]) + 0.7 * width, rel=1e-5)
        inner, outer = gradients(1)
        before = bandit.inner_z_[0].copy(), bandit.outer_z_[0].copy(), output(1, bandit.inner_[0], bandit.outer_[0])
        bandit.update(1, 0.9, x)
        np.testing.assert_allclose(bandit.inner_z_[0] - before[0], inner**2, atol=1e-6)
        np.testing.assert_allclose(bandit.outer_z_[0] - before[1], outer**2, atol=1e-6)
        after = output(1, bandit.inner_[0], bandit.outer_[0])
        assert abs(after - 0.9) < abs(before[2] - 0.9)  # a step of Adam towards what was told
