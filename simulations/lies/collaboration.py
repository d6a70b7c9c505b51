"""A collaboration without messages, in which one party may lie: what everybody gets, and what the liar has of it.

True utility is what a lie is judged by: what the liar's OWN TRUE rows do with its reward on rows that nobody sent.

A model reward holds the others' outputs with noise of variance eta. A liar knows what it sent, so the best that it can
make of its reward is a model of its true rows and the others' rows with that noise: its log loss, with hyperparameters
learned from true rows and averaged exactly over the noise, is the utility, in nats a prediction, less is better. Of
several rewards, under several names, that with the least noise counts.

Of synthetic rewards it is the squared maximum mean discrepancy of its true rows with the synthetic ones to the unseen
rows, less is better; of several rewards the best one or all together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from guerdon.duplicates import without_near_copies, without_repeats
from guerdon.generators import (
    AdversarialForest,
    GaussianMixture,
    GivenRows,
    GrownPool,
    SyntheticData,
    grow_until_feasible,
)
from guerdon.metrics import mmd2_biased
from guerdon.models import BayesianLinear, Model
from guerdon.models.party_noise import BY_PARTY
from guerdon.pipeline import Allocation, Given, allocate
from guerdon.realization import noise_variances
from guerdon.realization.noise import expected_reward_mnlp
from guerdon.rewards.rectified import InfeasibleRewardsError
from guerdon.scaling import Scaling
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import InformationGain
from simulations.lies.catalogue import Lie
from simulations.prepare import Plan
from strategies import ModelRewards, SyntheticDataRewards

__all__ = ["Collaboration", "Earned", "Rules"]

UNSEEN = 0.2
"""The share of each party's rows that nobody sends, where the data set brings none for it."""

PUBLIC = 1 / 3
"""The share of the rows that nobody sends whose inputs are public, half of them where rewards are synthetic; utility is
told on the others."""

REFERENCES = 0.1
"""The share of each party's rows that it holds out and whose inputs it sends as references."""


@dataclass(frozen=True)
class Rules:
    """How data are valued, beside what the scenario says.

    Attributes
    ----------
    name : str
        What tables call them.
    parts : mapping of str to Part
        By their keys in the run config, in the place of the scenario's.
    by_party : bool
        Whether a noise variance is learned for each party.
    effects : bool
        Whether party effects are learned; of linear models only.
    public : bool
        Whether predictions are valued at public inputs, so that nobody holds rows out for it; else at inputs of rows
        that each party holds out.
    copies_once : bool
        Whether of a party's equal rows, and of its near-copies, one is taken before anything else.
    """

    name: str
    parts: Mapping[str, Any]
    by_party: bool = False
    effects: bool = False
    public: bool = False
    copies_once: bool = False


@dataclass(frozen=True)
class Earned:
    """What came of a collaboration.

    Attributes
    ----------
    reward : float
        The liar's reward value over the largest reward value; of several names the best.
    share : float
        The liar's Shapley values, of all its names together, over the sum of all.
    utility : float
        As above: nats a prediction, or MMD^2; less is better.
    alphas : dict of str to float
        phi over the largest phi of the honest parties, by party.
    """

    reward: float
    share: float
    utility: float
    alphas: dict[str, float]


@dataclass(frozen=True, eq=False)
class Collaboration:
    """A scenario with its data dealt out, in which one party may send something else.

    Attributes
    ----------
    plan : Plan
        The scenario, checked.
    liar : int
        Which party it is that may lie.
    size : int
        |G| of synthetic rewards.
    rows : int, optional
        So many of each party's rows at most, drawn at random, take part; all when None.
    """

    plan: Plan
    liar: int
    size: int = 1000
    rows: int | None = None
    _truths: dict[str, tuple[Any, Scaling]] = field(default_factory=dict, init=False, repr=False)
    _known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def synthetic(self) -> bool:
        """Whether rewards are synthetic rows; else they are models."""
        return isinstance(self._built.strategy, SyntheticDataRewards)

    @property
    def valuation(self) -> Any:
        """The scenario's."""
        return self._built.parts["valuation"]

    def earned(self, lie: Lie, rules: Rules) -> Earned:
        """What everybody gets where the liar tells this lie, under these rules.

        Raises
        ------
        ValueError
            The strategy gives other rewards than models of numbers and synthetic rows, or a part refuses what it gets.
        """
        sent = self._sent(lie, rules)
        if rules.copies_once:
            sent = [without_near_copies(without_repeats(c)) for c in sent]
        parts = {**self._built.parts, **rules.parts}
        if not self.synthetic:
            return self._model(sent, parts, rules)
        rows = [replace(c, y=None, noise=None) for c in sent]  # a lie about outputs is none here: told once
        earned: Earned = self._once((rules.name, _digest(rows)), lambda: self._synthetic(rows, parts))
        return earned

    def _once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """What is computed, kept for whichever lies and sets of rules need the same."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    @cached_property
    def _built(self) -> Any:
        built = self.plan.config.build_parts()
        if type(built.strategy) not in (ModelRewards, SyntheticDataRewards):
            raise ValueError(
                f"strategy = {self.plan.config.strategy!r}: what a lie earns is told of ModelRewards and of "
                "SyntheticDataRewards, take a scenario with one of these"
            )
        return built

    @cached_property
    def _names(self) -> list[str]:
        return self.plan.config.parties.split(",")

    @cached_property
    def _dealt(self) -> tuple[list[Contribution], tuple[FloatArray, FloatArray], FloatArray]:
        """Each party's true rows, with those that it holds out; rows that nobody has; and public inputs."""
        rng = np.random.default_rng([self.plan.config.seed, 11])
        data, of_all = self.plan.dataset, []
        unseen: list[tuple[Any, Any]] = []
        for name, block in zip(self._names, self.plan.blocks, strict=True):
            rows = rng.permutation(block)
            if data.held_out is None:
                out, rows = np.split(rows, [max(1, round(UNSEEN * len(rows)))])
                unseen.append((data.features[out], data.target[out]))
            rows = rows[: self.rows]
            of_all.append(Contribution(name, data.features[rows], data.target[rows], data.feature_names))
        if data.held_out is not None:
            unseen.append((data.held_out.features, data.held_out.target))
        X, y = (np.concatenate(columns).astype(np.float64) for columns in zip(*unseen, strict=True))
        count = len(X) // 2 if self.synthetic else round(PUBLIC * len(X))
        public, rest = np.split(rng.permutation(len(X)), [count])
        return of_all, (X[rest], y[rest]), X[public]

    def _sent(self, lie: Lie, rules: Rules) -> list[Contribution]:
        """What is sent, sorted by party; without the rows that are held out for reference, where there are any.

        A party lies in its file, so those are part of the lie. Synthetic rewards have none, and nor have rules by which
        references are public.
        """
        sent: list[Contribution] = []
        for i, true in enumerate(self._dealt[0]):
            rng = np.random.default_rng([self.plan.config.seed, 12, i])
            files = lie(true, rng=rng) if i == self.liar else (true,)
            sent += files if self.synthetic or rules.public else [_with_references(c, rng) for c in files]
        return sorted(sent, key=lambda c: c.party)

    def _mine(self, sent: Sequence[Contribution]) -> list[int]:
        honest = set(self._names) - {self._names[self.liar]}
        return [i for i, c in enumerate(sent) if c.party not in honest]

    def _model(self, sent: Sequence[Contribution], parts: Mapping[str, Any], rules: Rules) -> Earned:
        scaling = self._scaling(sent)
        scaled = [scaling.apply(c) for c in sent]
        model = _by_rules(parts["model"], rules).fit(scaled)
        if rules.public:
            references = [scaling.features(self._dealt[2])]
        else:
            references = [np.empty((0, c.X.shape[1])) if c.references is None else c.references for c in scaled]
        value = Given(parts["valuation"], {"model": model, "references": references})
        rng = np.random.default_rng(self.plan.config.seed)
        allocation = allocate(scaled, value, parts["shapley"], parts["scheme"], None, rng=rng)
        alone = np.asarray(allocation.game(np.eye(len(scaled), dtype=bool)))
        game: Any = allocation.game
        eta = noise_variances(game, game.contributions, allocation.targets, alone=alone)
        mine = self._mine(sent)
        least = float(min(eta[i] for i in mine)) * scaling.target_scale**2
        return self._told(allocation, sent, mine, self._log_loss(least, parts, rules))

    def _log_loss(self, eta: float, parts: Mapping[str, Any], rules: Rules) -> float:
        """The utility in nats, of noise of this VARIANCE in squared units of the target on the others' outputs."""
        game, scaling = self._truth(parts, rules)
        X, y = self._dealt[1]
        outputs = (y - scaling.target_mean) / scaling.target_scale
        return expected_reward_mnlp(game, self.liar, eta / scaling.target_scale**2, scaling.features(X), outputs)

    def _truth(self, parts: Mapping[str, Any], rules: Rules) -> tuple[Any, Scaling]:
        """The game of the true rows, with hyperparameters learned from them; once for each set of rules."""
        if rules.name not in self._truths:
            rng = np.random.default_rng(0)
            true = [c if rules.public else _with_references(c, rng) for c in self._dealt[0]]
            scaling = self._scaling(true)
            scaled = [scaling.apply(c) for c in true]
            model = _by_rules(parts["model"], replace(rules, effects=False)).fit(scaled)
            self._truths[rules.name] = InformationGain(model).game(scaled), scaling
        return self._truths[rules.name]

    def _scaling(self, sent: Sequence[Contribution]) -> Scaling:
        how = self.plan.config.standardize
        rows = [replace(c, y=None) for c in sent] if self.synthetic else sent
        return Scaling.of_pool(rows, robust=how == "robust") if how else Scaling.identity(sent[0].X.shape[1])

    def _synthetic(self, sent: Sequence[Contribution], parts: Mapping[str, Any]) -> Earned:
        scaling = self._scaling(sent)
        scaled = [scaling.apply(c) for c in sent]
        seeds = np.random.default_rng([self.plan.config.seed, 13]).spawn(4)
        grown = self._grown(scaled, parts, scaling, seeds)
        game, targets, mine = grown.game, grown.targets, self._mine(sent)
        drawn = [
            parts["realization"].sample(game, i, float(targets.values[i]), rng=rng).indices
            for i, rng in zip(mine, seeds[3].spawn(len(mine)), strict=True)
        ]
        sets = [*drawn, np.unique(np.concatenate(drawn))]
        units = [scaling.original_features(grown.synthetic.points[rows]) for rows in sets]
        return self._told(grown.allocation, sent, mine, min(map(self._discrepancy, units)))

    def _grown(
        self, scaled: Sequence[Contribution], parts: Mapping[str, Any], scaling: Scaling, seeds: Sequence[Any]
    ) -> GrownPool:
        """Everything decided, with as many synthetic rows as the bounds need, up to 16 times as many as asked for."""
        valuation = _Remembered(parts["valuation"], scaling.features(self._dealt[2]), self._once)
        given, decide = self.plan.dataset.synthetic, (valuation, parts["shapley"], parts["scheme"])
        if given is None or "generator" in self.plan.given:
            mixed = scaled[0].columns is not None and scaled[0].columns.is_mixed
            part = parts.get("generator") or (AdversarialForest() if mixed else GaussianMixture())
            rows = getattr(parts["valuation"], "fitted_to", None)
            learned = scaled if rows is None else rows(scaled, rng=seeds[0])
            fitted = self._once((repr(part), _digest(learned)), lambda: part.fit(learned, rng=seeds[1]))
            return grow_until_feasible(scaled, fitted, *decide, size=self.size, limit=16 * self.size, rng=seeds[2])
        sizes = sorted({min(self.size * times, len(given.features)) for times in (1, 4, 16)})
        for size in sizes:
            pool = GivenRows(SyntheticData(scaling.features(given.features[:size])))
            try:
                return grow_until_feasible(scaled, pool, *decide, size=size, limit=size, rng=seeds[2])
            except InfeasibleRewardsError:
                if size == sizes[-1]:
                    raise
        raise AssertionError("unreachable")

    def _discrepancy(self, synthetic: FloatArray) -> float:
        """The utility: MMD^2 of the true rows with these to the unseen ones, in standard units of the true rows."""
        true, unseen = self._dealt[0], self._dealt[1][0]
        scaling = self._scaling(true)
        T = scaling.features(unseen)
        return mmd2_biased(
            scaling.features(np.concatenate([true[self.liar].X, synthetic])), T, float(np.sqrt(T.var(axis=0).sum()))
        )

    def _told(self, allocation: Allocation, sent: Sequence[Contribution], mine: list[int], utility: float) -> Earned:
        phi, r = allocation.shapley.values, allocation.targets.values
        honest = [i for i in range(len(sent)) if i not in mine]
        top = float(phi.max())
        alphas = {sent[i].party: float(phi[i]) / top for i in honest}
        return Earned(
            reward=float(max(r[i] for i in mine) / r.max()),
            share=float(sum(phi[i] for i in mine) / phi.sum()),
            utility=utility,
            alphas=alphas,
        )


@dataclass(frozen=True, eq=False)
class _Remembered:
    """A valuation that makes the game of the same rows once, for all sets of rules that share it."""

    valuation: Any
    public: FloatArray
    once: Callable[[Any, Callable[[], Any]], Any]

    def game(self, contributions: Sequence[Contribution], synthetic: FloatArray) -> Any:
        """The game, from what is kept where it was asked for before."""
        given = Given(self.valuation, {"synthetic": synthetic, "public": self.public})
        key = (self.valuation, _digest(contributions), blake2b(synthetic.tobytes()).digest())
        return self.once(key, lambda: given.game(contributions))


def _digest(contributions: Sequence[Contribution]) -> bytes:
    """Of names and inputs, the only things of synthetic rewards that lies differ in."""
    digest = blake2b()
    for c in contributions:
        digest.update(repr((c.party, c.X.shape)).encode() + c.X.tobytes())
    return digest.digest()


def _with_references(contribution: Contribution, rng: np.random.Generator) -> Contribution:
    """The contribution without the rows that it holds out, and with their inputs as references."""
    out, rest = np.split(rng.permutation(len(contribution)), [max(1, round(REFERENCES * len(contribution)))])
    rest = np.sort(rest)
    y, noise = contribution.y, contribution.noise
    return replace(
        contribution,
        X=contribution.X[rest],
        y=None if y is None else y[rest],
        noise=noise[rest] if isinstance(noise, np.ndarray) else noise,
        references=contribution.X[out],
    )


def _by_rules(model: Model, rules: Rules) -> Any:
    """The model with noise and effects by party, where the rules say so."""
    if rules.effects and not isinstance(model, BayesianLinear):
        raise ValueError(
            f"party effects are of linear models, and the scenario's is {type(model).__name__}: take one, such as "
            "--set \"model=BayesianLinear(features='Affine()')\""
        )
    learned = {**({"noise": BY_PARTY} if rules.by_party else {}), **({"effects": BY_PARTY} if rules.effects else {})}
    return replace(model, **learned)  # type: ignore[type-var]
