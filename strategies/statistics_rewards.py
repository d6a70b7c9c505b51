"""Model rewards from statistics: parties send sums over their rows, and no row (guerdon.types.Statistics).

All that a linear model needs of rows are sums over their features, so that noise, values, targets and rewards are those
that the rows would have given. What is asked for is public: the features, which no row trained, and the units that they
are taken in, of the run's public rows or of the schema's bounds. Where the features are the inputs and a constant, the
sums are brought into the pool's standard units from outside; others are weighed in the units that they were taken in.

Sums with noise, by which a party keeps its rows private, are what they are: they stay in the units they came in, and
count for what they tell in spite of their noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np

from guerdon.models import Affine, BayesianLinear, FourierFeatures, NeuralFeatures, Predictor
from guerdon.models.features import Features
from guerdon.models.party_noise import BY_PARTY, known_noise
from guerdon.models.pool import require_known
from guerdon.models.statistics import in_units, noiseless_gain, rows_in_units
from guerdon.models.sums import bounds_of
from guerdon.pipeline import Given, allocate
from guerdon.privacy import Bounds
from guerdon.scaling import Scaling
from guerdon.shapley import RowShapley
from guerdon.types import Contribution, FloatArray, Game, Statistics
from guerdon.valuation import InformationGain, NoiseSensitivity, PredictiveInformation, noise_sensitivity
from strategies.alone import alone_model, told
from strategies.auditing import audit_statistics
from strategies.conversation import Answer
from strategies.errors import Errors
from strategies.fitting import check_made
from strategies.model_rewards import ModelRewards, effect_said
from strategies.of_sums import OfSums, private_note, scaling_of_bounds
from strategies.pooling import Read
from strategies.session import Outcome, Session
from wire.kinds import statistics
from wire.kinds.kind import MNLP
from wire.kinds.statistics import Asked, PartySums
from wire.messages import Reward
from wire.schema import Schema
from wire.text import listed

__all__ = ["StatisticsRewards"]

NOT_FROM_SUMS = (
    "the parties sent sums over their rows and no row, so that rows which parties share or repeat, rows that look "
    "implausible, and how far numbers hang on the draw of rows or on the noise learned can't be told"
)
"""What a run of statistics goes without."""


class StatisticsRewards(OfSums, ModelRewards):
    """``ModelRewards`` where the run config says contribute = "statistics"; it takes the same parts."""

    def begin(self, session: Session) -> None:
        super().begin(session)
        rows_only = {"fit": session.settings.fit != "pool", "evidence": session.settings.evidence}
        if asked := [key for key, said in rows_only.items() if said]:
            raise ValueError(f'contribute = "statistics": {asked[0]} needs the parties\' rows; leave it out')
        if self.asks_references and session.settings.references != "public":
            raise ValueError(
                'contribute = "statistics": inputs of rows that parties hold out are rows; value predictions at public '
                'rows, references = "public", or by valuation = "InformationGain()"'
            )
        private = {text.strip() for text in session.settings.private.split(",")} - {"", "inf"}
        if private and not self._takes_noise:
            raise ValueError(
                f'private = "{session.settings.private}": sums with noise do not tell how noisy outputs are, so that '
                "the model needs a noise, in units in which the target goes from -1 to 1: model = "
                "\"BayesianLinear(features='Affine()', noise=0.1)\"; or name public rows (public-file)"
            )
        if self._in_units_of_bounds:
            _units_of(session.settings.schema, self._features())  # refuses before anybody is asked

    def check(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        model, computed = parts["model"], (Affine, FourierFeatures, NeuralFeatures)
        if not (isinstance(model, BayesianLinear) and isinstance(model.features, computed)):
            raise ValueError(
                f'contribute = "statistics": model = {texts["model"]!r} can\'t be had from sums. Take one on features '
                "that each party computes by itself: BayesianLinear(features='Affine()'), or with "
                "'FourierFeatures(count=100, lengthscale=1.0)', or 'NeuralFeatures()' trained on public rows"
            )
        if not isinstance(parts["valuation"], InformationGain | PredictiveInformation):
            raise ValueError(
                f'contribute = "statistics": valuation = {texts["valuation"]!r} values rows; InformationGain() can be '
                'had from sums, and with references = "public" PredictiveInformation()'
            )
        if isinstance(parts["shapley"], RowShapley):
            raise ValueError(
                f'contribute = "statistics": shapley = {texts["shapley"]!r} values single rows, of which sums tell '
                "nothing; take Auto()"
            )
        super().check(parts, texts)

    def discloses(self) -> dict[str, str]:
        return {
            **super().discloses(),
            "contribute": "statistics",
            "reward-precision": "exact: rows can't be counted more or less in sums; who wants its rows hidden adds "
            "noise itself (epsilon in its node config)",
        }

    # What is asked for, and what comes.

    def read(self, answer: Answer) -> Read:
        sums = statistics.decode_sums(
            answer.content,
            party=answer.party,
            target=self.target,
            columns=self.asked.columns,
            width=self.asked.width,
            max_megabytes=self.settings.max_contribution_mb,
        )
        return Read(sums, sums, sums)

    def entry(self, sent: Any) -> dict[str, Any]:
        return {
            "contributed": "statistics",
            "sha256": statistics.content_hash(sent),
            "rows": len(sent),
            "features": len(sent.moment),
            "columns": len(sent.feature_names),
            **_promise(sent),
        }

    def described(self, pool: Sequence[Any]) -> list[Any]:
        return list(pool)

    def to_ask(self, columns: Sequence[str]) -> Asked:
        public = self._public(columns)
        if public is None and self._in_units_of_bounds:
            scaling, bounds = _units_of(self.settings.schema, self._features())
            order = [cast(Schema, self.settings.schema).features.index(name) for name in columns]
            scaling = replace(
                scaling, feature_mean=scaling.feature_mean[order], feature_scale=scaling.feature_scale[order]
            )
            known = self._takes_noise  # else sums with noise of their own would be no use
            return Asked(tuple(columns), scaling, self._features(), bounds if known else None)
        if public is None:
            return Asked(tuple(columns), Scaling.identity(len(columns)), self._features())
        scaling = self._work([public], [public], of_pool=False).scaling
        features = cast(Features, cast(BayesianLinear, self._pretrained(public, scaling)).features)
        scaled = scaling.apply(public)
        return Asked(tuple(columns), scaling, features, bounds_of(features, scaled.X, np.asarray(scaled.y)))

    @property
    def _takes_noise(self) -> bool:
        """Whether the model's noise is known without sums that tell it, which those with noise of their own do not."""
        noise = self.session.parts["model"].noise
        return noise != BY_PARTY and (noise is not None or self.session.public is not None)

    @property
    def _in_units_of_bounds(self) -> bool:
        """Whether sums are taken in units of the schema's bounds: they are asked for, and no public rows say others."""
        return self.session.public is None and bool(self.settings.standardize)

    def _features(self) -> Features:
        return cast(Features, self.session.parts["model"].features)

    # What it comes to.

    def value(self, contributions: Sequence[Any]) -> Outcome:
        parts, settings = self.session.parts, self.settings
        work = _Sums(contributions, self.asked, self._standard_units(contributions))
        unfitted = replace(parts["model"], features=self.asked.features)
        self.stage("fit")
        model = self._noise_known(unfitted, contributions)  # and what is still open from the sums
        model = model.fit(work.fitted_on, progress=self._tell)
        computed, noise = model.on_computed(), require_known("noise", known_noise(model.noise))
        rows = work.like_rows(noise)
        self.stage("value", 2 ** len(contributions))
        allocation = allocate(
            rows,
            Given(parts["valuation"], {"model": computed, "references": self._public_references(work)}),
            parts["shapley"],
            parts["scheme"],
            None if settings.stop_after == "valuation" else parts["realization"],
            rng=np.random.default_rng(settings.seed),
            secret_rng=np.random.default_rng(self.journal.noise_key()),
            carrier=InformationGain(computed),
            progress=self._tell,
        )
        check_made(allocation)
        if self.carried and allocation.rewards:
            self.note(self.carried)
        errors = Errors(allocation, settings.holdout, None, None)
        made_of: Any = _Rows(contributions, work.scaling, rows)
        record = self._record(allocation, made_of, computed, errors)
        rewards = {}
        for i, made in enumerate(allocation.rewards):
            about = {**self._about(allocation, i, made, computed, errors), **_promise(contributions[i])}
            said = effect_said(record["parties"][i])
            found = {"findings": [f"{said}."]} if said else {}
            rewards[made.party] = Reward(
                self.predictor(cast(Any, made).posterior, work.scaling, contributions[i]).arrays(),
                {**about, **found, "contains": f"{made.contains}, and {self._units_of_sums(work)}"},
            )
        self._say_of_sums(record, contributions, noise, noise_sensitivity(computed, rows))
        return Outcome(
            record=record,
            alone=self._alone_of_sums(unfitted, model, contributions),
            rewards=rewards,
            audit=lambda: audit_statistics(contributions, allocation.rewards),
        )

    def _public_references(self, work: _Sums) -> list[FloatArray]:
        """The run's public inputs, in the units that the model sees."""
        public = self._public(self.asked.columns)
        return [] if public is None else [work.scaling.features(public.X)]

    def _noise_known(self, model: BayesianLinear, sums: Sequence[PartySums]) -> BayesianLinear:
        """The model, with its noise from public rows where it is open and some sums have noise of their own.

        Those do not tell it: how well outputs are explained is what y' y says, which is not sent with them. Party
        effects stay open: public rows are nobody's, and say nothing of whose weights differ.
        """
        public = self._public(self.asked.columns)
        if model.noise is not None or public is None or all(s.exact for s in sums):
            return model
        self.note("sums with noise do not tell the noise of outputs: it is learned from the public rows")
        of_public = replace(model, effects=None).fit([self.asked.scaling.apply(public)])
        return replace(model, noise=of_public.noise, report=of_public.report)

    def _standard_units(self, sums: Sequence[PartySums]) -> Scaling | None:
        """From the units that the sums came in to those of the pool; None where they stay in these."""
        affine = isinstance(self.asked.features, Affine)
        if self._in_units_of_bounds and affine and all(s.exact for s in sums):
            return Scaling.of_sums(sums)
        return None

    def judge(self) -> None:
        """Whether parties that put noise on their sums do better without their rewards, as far as they let us know."""
        private = [entry for entry in self.concluded.record["parties"] if entry.get("epsilon") is not None]
        sides = {e["party"]: MNLP.sides(e.get("alone"), e.get("reward")) for e in private}
        unknown = [party for party, pair in sides.items() if None in pair]
        worse = [party for party, pair in sides.items() if party not in unknown and MNLP.worse(*pair)]
        if worse:
            self.note(
                f"the rewards of {listed(worse)} predict worse than their own rows do at home (log loss on rows held "
                "out), though they are worth no less than the sums with noise that were sent: what a reward is worth "
                "is how sure it is by its own account, and no score"
            )
        if unknown:
            self.note(
                f"whether the rewards of {listed(unknown)} predict better than their own rows do at home is known to "
                "them alone, and their own pages say it: what a reward is worth is no score"
            )

    def predictor(self, posterior: Any, scaling: Scaling, own: Any) -> Predictor:
        return Predictor(posterior, scaling, own.feature_names, self.target, None)

    def evidence(
        self, model: Any, game: Game, scaled: Sequence[Contribution]
    ) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
        report = model.report
        return {}, [] if report is None else [(report.sentence, report.noise_at_bound)]

    def _alone_of_sums(
        self, unfitted: BayesianLinear, fitted: BayesianLinear, sums: Sequence[PartySums]
    ) -> dict[str, Reward]:
        """Each party's model alone, of its own sums in their own units; it trains it again on its own rows.

        From sums with noise its hyperparameters can't be told: it learns them itself.
        """
        self.stage("learn alone", len(sums))
        made, models = {}, []
        for k, own in enumerate(sums):
            work = _Sums([own], self.asked, self._standard_units([own]))
            if own.exact:
                models.append(alone_model(unfitted, cast(Any, work.fitted_on[0])))
            alone = cast(BayesianLinear, models[-1].model) if own.exact else replace(fitted, effects=None, report=None)
            (rows,) = work.like_rows(require_known("noise", known_noise(alone.noise)))
            posterior = alone.on_computed().posterior(rows.X, np.asarray(rows.y), rows.noise)
            made[own.party] = Reward(
                self.predictor(posterior, work.scaling, own).arrays(),
                {"kind": self.kind, "alone": True, "learn_noise": not own.exact},
            )
            self.progress("learn alone", k + 1, len(sums))
        if sentence := told(models):
            self.note(sentence)
        return made

    def _say_of_sums(
        self, record: dict[str, Any], sums: Sequence[PartySums], noise: float, sensitivity: NoiseSensitivity
    ) -> None:
        """Put into the record what is different from one of rows."""
        sensitivity = replace(sensitivity, rows=sum(map(len, sums)))
        record["contribute"] = "statistics"
        record["noise_sensitivity"] = {**asdict(sensitivity), "elasticity": sensitivity.elasticity}
        record["diagnostics"] += [sensitivity.sentence, NOT_FROM_SUMS]
        for entry, own in zip(record["parties"], sums, strict=True):
            if not own.exact:
                before = noiseless_gain(own, noise)
                cost = max(0.0, before - entry["value"])
                entry.update(**_promise(own), privacy_cost=cost)
        if private := [s.party for s in sums if not s.exact]:
            self.note(private_note(private, self.settings.simulated))

    def _units_of_sums(self, work: _Sums) -> str:
        """Which numbers the units of a reward tell."""
        if work.standard is not None:
            return "the mean and standard deviation of the pool"
        if self.session.public is not None:
            robust = self.settings.standardize == "robust"
            return f"{'median and quartiles' if robust else 'the mean and standard deviation'} of the public rows"
        return "the schema's bounds" if self._in_units_of_bounds else "no more of the data"


def _promise(sums: PartySums) -> dict[str, float]:
    """The privacy that noise on the sums gives each row; nothing without."""
    return {} if sums.exact else {"epsilon": sums.epsilon, "delta": sums.delta}


@dataclass(frozen=True, eq=False)
class _Sums:
    """The parties' sums as they came, and in the units that the model sees.

    standard : from the one to the other; None where they are the same.
    """

    sums: Sequence[PartySums]
    asked: Asked
    standard: Scaling | None

    @property
    def scaling(self) -> Scaling:
        """From the data's own units to those that the model sees."""
        return self.asked.scaling if self.standard is None else self.asked.scaling.then(self.standard)

    @cached_property
    def fitted_on(self) -> Sequence[Statistics]:
        return self.sums if self.standard is None else [in_units(s, self.standard) for s in self.sums]

    def like_rows(self, noise: float) -> list[Contribution]:
        """Rows that say the same, where outputs have this noise VARIANCE in the units that the model sees."""
        return [rows_in_units(s, noise, self.standard) for s in self.sums]


@dataclass(frozen=True, eq=False)
class _Rows:
    """What the record of a run is made of."""

    contributions: Sequence[Any]
    scaling: Scaling
    scaled: Sequence[Contribution]


def _units_of(schema: Schema | None, features: Features) -> tuple[Scaling, Bounds]:
    """From the schema's bounds to -1 and 1, inputs in the order of its features, and how long features can be there.

    Raises
    ------
    ValueError
        There is no schema, or a number has no bounds.
    """
    scaling = scaling_of_bounds(schema)
    return scaling, Bounds(_longest(features, len(scaling.feature_mean)), 1.0)


def _longest(features: Features, inputs: int) -> float:
    """The largest length of phi(x) for x within -1 and 1."""
    if isinstance(features, FourierFeatures):
        return float(np.sqrt(features.outputscale + 1.0))
    return float(np.sqrt(inputs + 1.0))
