"""Model rewards (Sim et al., ICML 2020): to each party a model of the pool that is worth its reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np

from guerdon.audit import Disclosure
from guerdon.evidence import PartyEvidence, gather_evidence
from guerdon.models import Classifier, ClassPredictor, FitReport, GaussianProcessPosterior, Predictor, Pretrainable
from guerdon.models import Model as BayesianModel
from guerdon.models.party_effects import PartyEffects
from guerdon.models.party_noise import BY_PARTY, PartyNoise
from guerdon.models.protocols import Heavy, Posterior
from guerdon.models.robust_fit import FITS, Robust, median_fit
from guerdon.models.statistics import FEWEST_PARTIES
from guerdon.pipeline import Allocation, Given, MadeReward, allocate, asks
from guerdon.row_marks import RowMarks, shown
from guerdon.scaling import Scaling
from guerdon.shapley import Auto, RowShapley
from guerdon.types import Contribution, FloatArray, Game, ModelGame, lacks
from guerdon.valuation import (
    InformationGain,
    InformationGainGame,
    ValueUncertainty,
    noise_sensitivity,
    value_uncertainty,
)
from guerdon.valuation.uncertainty import Learnable
from strategies.alone import alone_model, told
from strategies.auditing import audit_models
from strategies.conversation import Conversation
from strategies.errors import Errors
from strategies.fitting import check_made, check_parts, unit_of
from strategies.memory import free_memory
from strategies.pooling import PoolingMediator
from strategies.record import allocation_record, party_view
from strategies.session import Outcome, Session
from wire.kinds.model import Model
from wire.messages import MessageError, Reward
from wire.schema import Schema

__all__ = ["ModelRewards", "effect_said"]

WORDS = "the information gain of a model"
"""What rewards are made by, whatever the data are valued by."""

WEIGHTS = 2
"""Beside the mediator's key, what seeds the weights that blur rewards."""

AUDITED = 4
"""Beside the run's secret seed, what seeds the halves and twins of the audit."""

PRETRAINING = 1
"""Beside the run's seed, what seeds the training on public rows; nothing about it is secret."""


AGREES = 0.995
"""A party whose rows keep more than this share of their information is not told to differ."""


class ModelRewards(PoolingMediator):
    """Value data by its information gain on a model, and give each party a model with the right amount of noise.

    Composes the parts ``model``, ``valuation``, ``shapley``, ``scheme`` and ``realization`` of the run config. Open
    hyperparameters are learned on the pool; those of a party's model alone on its own rows, in units of their own, so
    that what it scores alone depends on nobody else. Where the run has public rows, they train the model's features,
    and all data are in units of their standard deviations, so that a reward's scaling tells nothing of the pool.

    What depends on the kind of outputs stands in methods that ``ClassificationRewards`` has its own of: ``check_model``
    and ``check_target``, ``accept`` and ``misfits``, ``prepared``, ``predictor`` and ``evidence``.

    Attributes
    ----------
    kind : str
        Of the rewards, as ``wire.kinds`` knows it.
    """

    kind: ClassVar[str] = Model.name
    gathers_evidence: ClassVar[bool] = True
    audits: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, str]] = {
        "model": "BayesianLinear(features='Affine()')",
        "valuation": "InformationGain()",
        "shapley": "Auto()",
        "scheme": "RhoShapley(rho='stable')",
        "realization": "NoiseInjection()",
    }

    def begin(self, session: Session) -> None:
        super().begin(session)
        self.check_target(session.settings.schema)
        if session.settings.evidence and session.settings.fit != "pool":
            raise ValueError(
                "evidence = true is on hyperparameters that are learned from the whole pool, and fit = "
                f'"{session.settings.fit}": leave one of them out'
            )
        model = self.prepared(session.parts["model"])
        self._pretrains = isinstance(model, Pretrainable) and model.needs_pretraining
        if self._pretrains and session.public is None:
            raise ValueError(
                f"model = {session.texts['model']!r} has features that are trained on public rows: name them, "
                'public-file = "/path/to/public.parquet" with the parties\' columns, or take a data set that has some'
            )
        how = session.settings.fit
        if how == "public" and session.public is None:
            raise ValueError('fit = "public" learns hyperparameters on public rows: name them, public-file = "/path"')
        if how != "pool" and not isinstance(model, Robust):
            raise ValueError(
                f'fit = "{how}" takes a model with a method median(fitted, features), as those of guerdon.models with '
                f'Gaussian noise have, and model = {session.texts["model"]!r} has none: take fit = "pool"'
            )
        self.carried = self._fit_of(session.parts, session.texts)

    def check(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        self.check_model(parts, texts)
        self._fit_of(parts, texts)

    def from_statistics(self) -> Conversation:
        from strategies.statistics_rewards import StatisticsRewards

        return StatisticsRewards() if type(self) is ModelRewards else super().from_statistics()

    def _fit_of(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> str:
        if "references" in asks(parts["valuation"]) and not hasattr(parts["model"], "predictive_gains"):
            raise ValueError(
                f"valuation = {texts['valuation']!r} is by what a model predicts at references, and model = "
                f"{texts['model']!r} does not say what data tell of that (predictive_gains): take one of "
                "guerdon.models, or another valuation"
            )
        return check_parts(
            parts, texts, InformationGain(), WORDS, self.parts["realization"], things=("model", "references")
        )

    # What depends on the kind of outputs.

    def check_model(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        """Make sure that the model predicts what rewards are to predict.

        Raises
        ------
        ValueError
        """
        if isinstance(parts["model"], Classifier):
            raise ValueError(
                f"model = {texts['model']!r} predicts classes, and strategy = {texts['strategy']!r} gives models that "
                'predict a number: take strategy = "ClassificationRewards()", or another model'
            )
        if getattr(parts["model"], "effects", None) is not None and isinstance(parts["shapley"], RowShapley):
            raise ValueError(
                f"model = {texts['model']!r} takes all rows of a party together, and shapley = {texts['shapley']!r} "
                "values single rows: take Auto(), or leave effects='by-party' out"
            )

    def check_target(self, schema: Schema | None) -> None:
        """Refuse a target of categories, whose places in a list are no numbers; true and false are learned as 1 and 0.

        Raises
        ------
        ValueError
        """
        if schema is not None and schema.outputs is not None and schema.outputs.type == "category":
            raise ValueError(
                f"the schema's target {schema.target!r} is a category, and model rewards predict a number: its places "
                "in the list of values would be learned as if they were amounts. Take strategy = "
                '"ClassificationRewards()", whose models give each category its probability, a target of type number '
                '(grades that are amounts), or strategy = "SyntheticDataRewards()", which takes categories too'
            )

    def prepared(self, model: BayesianModel) -> BayesianModel:
        """The model with all that is known of the outputs before any come."""
        return model

    def predictor(self, posterior: Any, scaling: Scaling, own: Contribution) -> Predictor | ClassPredictor:
        """The posterior as a party gets it: on inputs, and of outputs, in their own units."""
        noise = None if own.noise is None else float(np.mean(own.noise))
        return Predictor(posterior, scaling, own.feature_names or (), self.target, noise)

    def losses(self, posterior: Any, rows: Contribution) -> dict[str, FloatArray]:
        """How badly a model predicts each row (m,), by name, as who asks whether it was trained on them would look."""
        mean, variance = posterior.predict(rows.X)
        squared = np.square(np.asarray(rows.y) - mean)
        return {"log loss": 0.5 * (np.log(variance) + squared / variance), "squared error": squared}

    def evidence(
        self, model: BayesianModel, game: Game, scaled: Sequence[Contribution]
    ) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
        """What is told of the model beside the values: entries of the record, and sentences with whether they warn."""
        report: FitReport | None = getattr(model, "report", None)
        sentences = [] if report is None else [(report.sentence, report.noise_at_bound)]
        if not isinstance(game, InformationGainGame):
            return {}, sentences
        sensitivity = noise_sensitivity(model, scaled)
        entry = {**asdict(sensitivity), "elasticity": sensitivity.elasticity}
        return {"noise_sensitivity": entry}, [*sentences, (sensitivity.sentence, sensitivity.counts_noise)]

    # What all model rewards share.

    def foresee(self) -> str:
        model, rows = self.session.parts["model"], sum(i.rows for i in self.introductions.values())
        if not isinstance(model, Heavy):
            return ""
        needed, memory = model.memory(rows), free_memory()
        if needed <= memory.free:
            return ""
        return (
            f"model = {self.session.texts['model']!r} does not fit into memory: for {rows:,} rows in all it needs "
            f"about {needed / 1e9:.3g} GB, and {memory.free / 1e9:.3g} GB are free {memory.bound}. Take another model, "
            f'model = "{model.lighter}", fewer rows, or a machine with more memory'
        )

    def accept(self, contribution: Contribution) -> None:
        if contribution.y is None:
            raise MessageError("outputs y are missing, and a model reward is trained on them: name the target column")

    def misfits(self, contributions: Sequence[Contribution]) -> dict[str, str]:
        """Parties that declare less noise than the run allows: it would make their rows count for as much as they like.

        The bound is a share of the outputs' variance, the median over the parties, which no single one moves far.
        """
        if not contributions or self._noise_by_party:
            return {}  # what is learned by party, nobody can declare away
        least = self.settings.min_noise * float(np.median([np.var(np.asarray(c.y)) for c in contributions]))
        low = sorted(c.party for c in contributions if c.noise is not None and np.min(c.noise, initial=np.inf) < least)
        reason = (
            f"it declares a noise variance below what this run allows, min-noise = {self.settings.min_noise:g} of the "
            "target's variance: rows that are called (almost) noiseless would outweigh all others"
        )
        return dict.fromkeys(low, reason)

    def discloses(self) -> dict[str, str]:
        weights = "weights of a model trained on all parties' rows, and none of the rows"
        aloud, rows = self.settings.discloses_rows, getattr(self.session.parts["model"], "discloses_rows", None)
        return {
            **super().discloses(),
            "discloses-rows": "not said" if self.settings.agreed_before else "true" if aloud else "false",
            "rewards-contain": (rows or "whatever the model keeps of all parties' rows, as it is")
            if aloud
            else weights,
            "reward-precision": "exact" if aloud else f"{self.settings.reward_precision:g} rows of each party",
        }

    def _marked(self, contributions: Sequence[Contribution]) -> list[Contribution]:
        """The contributions with the marks that noise on their rows follows from, the same in every run.

        Unless rewards may hold rows, the marks have weights, so that statistics of the rows are blurred in rewards.
        """
        marks = [RowMarks.of(c) for c in contributions]
        if not self.settings.discloses_rows:
            secret = np.random.default_rng([self.journal.noise_key(), WEIGHTS]).bytes(32)
            marks = [m.weighted(secret, self.settings.reward_precision) for m in marks]
        return [replace(c, marks=m) for c, m in zip(contributions, marks, strict=True)]

    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        contributions = self._marked(contributions)
        public = self._public(contributions[0].feature_names or ())
        of_pool = public is None and bool(self.settings.standardize)
        work = self._work(contributions, contributions if public is None else [public], of_pool=of_pool)
        unfitted = self._pretrained(public, work.scaling)
        model = self._fit(unfitted, work, public)
        parts, settings = self.session.parts, self.settings
        self.stage("value", 2 ** len(contributions))
        allocation = allocate(
            work.scaled,
            self._valued_by(model, work, public),
            parts["shapley"],
            parts["scheme"],
            None if settings.stop_after == "valuation" else parts["realization"],
            rng=np.random.default_rng(settings.seed),
            secret_rng=np.random.default_rng(self.journal.noise_key()),
            carrier=InformationGain(model),
            progress=self._tell,
        )
        check_made(allocation)

        def audit() -> list[Disclosure]:
            self.stage("audit", len(contributions) + 2)
            return audit_models(
                allocation,
                work.scaled,
                self._valued_by(model, work, public),
                parts["realization"],
                carrier=InformationGain(model),
                losses=self.losses,
                rng=np.random.default_rng([self.journal.secret_seed(), AUDITED]),
                progress=self.progress,
            )

        if not self.settings.discloses_rows and not hasattr(self.session.parts["model"], "discloses_rows"):
            _check_rows_stay(allocation.rewards, [shown(c) for c in work.scaled])
        if self.carried and allocation.rewards:
            self.note(self.carried)
        errors = Errors.of(allocation, self.settings.holdout, self._likely(unfitted, model, allocation, work, public))
        record = self._record(allocation, work, model, errors)
        evidence = {e.party: e for e in self._evidence(unfitted, allocation, work, public)}
        if evidence:
            record["evidence"] = [asdict(e) for e in evidence.values()]
        own = {party: {"findings": e.sentences()} for party, e in evidence.items() if e.sentences()}
        for entry in record["parties"]:
            if said := effect_said(entry):
                own.setdefault(entry["party"], {"findings": []})["findings"].append(f"{said}.")
        abouts = [
            {
                **self._about(allocation, i, made, model, errors),
                **_own_facts(record["parties"][i]),
                **own.get(made.party, {}),
            }
            for i, made in enumerate(allocation.rewards)
        ]
        return Outcome(
            record=record,
            alone=self._alone(unfitted, public, contributions),
            rewards={
                made.party: self._reward(work, i, model, _posterior(made), abouts[i])
                for i, made in enumerate(allocation.rewards)
            },
            audit=audit,
        )

    def _public(self, features: Sequence[str]) -> Contribution | None:
        """The public rows of the run, with the parties' features in their order."""
        columns = self.session.public
        if columns is None:
            return None
        missing = [name for name in (*features, self.target) if name not in columns]
        if missing:
            raise ValueError(f"public-file lacks the columns {', '.join(missing)}; it has {', '.join(columns)}")
        X = np.column_stack([columns[name] for name in features])
        return Contribution("public-file", X, columns[self.target], tuple(features))

    def _references(self, work: _Work, public: Contribution | None) -> list[FloatArray]:
        """Inputs at which predictions are wanted, in standard units: a set a party, or one of public rows."""
        if self.settings.references == "public":
            return [] if public is None else [work.scaling.features(public.X)]
        return [np.empty((0, c.X.shape[1])) if c.references is None else c.references for c in work.scaled]

    def _work(self, contributions: Sequence[Contribution], measured: Sequence[Contribution], *, of_pool: bool) -> _Work:
        """The contributions with the scaling that follows from the rows ``measured``; labels are never scaled."""
        how, inputs = self.settings.standardize, measured if self.numbers else _inputs(measured)
        scaling = Scaling.of_pool(inputs, robust=how == "robust") if how else Scaling.identity(inputs[0].X.shape[1])
        return _Work(contributions, scaling, scaling.blurred(inputs) if of_pool else scaling)

    def _reward(self, work: _Work, i: int, model: BayesianModel, posterior: Any, about: dict[str, Any]) -> Reward:
        own, noise = work.contributions[i], getattr(model, "noise", None)
        if isinstance(noise, PartyNoise):
            own = replace(own, noise=work.scaling.target_scale**2 * noise.of(work.scaled[i]))
        return Reward(self.predictor(posterior, work.shown, own).arrays(), about)

    def _pretrained(self, public: Contribution | None, scaling: Scaling) -> BayesianModel:
        model = self.prepared(self.session.parts["model"])
        if public is None or not self._pretrains:
            return model
        self.stage("pretrain")
        rng = np.random.default_rng([self.settings.seed, PRETRAINING])
        return cast(Pretrainable, model).pretrain(scaling.apply(public), rng=rng, progress=self._tell)

    def _fit(self, model: BayesianModel, work: _Work, public: Contribution | None) -> BayesianModel:
        """The model with its hyperparameters learned on what the run's ``fit`` names."""
        self.stage("fit")
        how = self.settings.fit
        if how in FITS:
            return cast(BayesianModel, median_fit(cast(Robust, model), work.scaled, how, progress=self._tell))
        if how == "public" and public is not None:
            rows = [work.scaling.apply(public)]
            learned = cast(Robust, model).median([model.fit(rows, progress=self._tell)], public.X.shape[1])
            return cast(BayesianModel, learned).fit(work.scaled, progress=self._tell)
        return model.fit(work.scaled, progress=self._tell)

    def _alone(
        self, unfitted: BayesianModel, public: Contribution | None, contributions: Sequence[Contribution]
    ) -> dict[str, Reward]:
        """Each party's model alone: its own rows in their own units, or those of public rows, and nothing of others."""
        self.stage("learn alone", len(contributions))
        made, models = {}, []
        for k, c in enumerate(contributions):
            own = self._work([c], [c] if public is None else [public], of_pool=False)
            (scaled,) = own.scaled
            models.append(alone_model(unfitted, scaled))
            noise = models[-1].model.noise_of(scaled) if scaled.noise is not None else None
            posterior = models[-1].model.posterior(scaled.X, np.asarray(scaled.y), noise=noise)
            made[c.party] = self._reward(own, 0, models[-1].model, posterior, {"kind": self.kind, "alone": True})
            self.progress("learn alone", k + 1, len(contributions))
        if sentence := told(models):
            self.note(sentence)
        return made

    def _likely(
        self,
        unfitted: BayesianModel,
        model: BayesianModel,
        allocation: Allocation,
        work: _Work,
        public: Contribution | None,
    ) -> ValueUncertainty | None:
        """The values over hyperparameters that are about as likely; None where nothing was learned that values use."""
        if self.settings.fit != "pool":
            return None  # what is as likely on the pool says nothing of hyperparameters learned otherwise
        if not self.settings.uncertainty or lacks(allocation.game, ModelGame) or not isinstance(unfitted, Learnable):
            return None
        self.stage("uncertainty")
        return value_uncertainty(
            unfitted,
            work.scaled,
            fitted=model,
            scheme=self.session.parts["scheme"],
            rng=np.random.default_rng(self.settings.seed),
            game=lambda likely: self._valued_by(likely, work, public).game(work.scaled),
            shapley=getattr(self.session.parts["shapley"], "quick", Auto()),
        )

    def _valued_by(self, model: BayesianModel, work: _Work, public: Contribution | None) -> Given:
        """The valuation, with the model and the references to value by."""
        return Given(self.session.parts["valuation"], {"model": model, "references": self._references(work, public)})

    def _evidence(
        self, unfitted: BayesianModel, allocation: Allocation, work: _Work, public: Contribution | None
    ) -> list[PartyEvidence]:
        """What speaks for and against each party's data; said in notes, to each party of its own, and nothing more."""
        if not self.settings.evidence or len(work.scaled) < 2:
            return []
        self.stage("evidence", len(work.scaled))

        def alphas(model: BayesianModel) -> FloatArray:
            game = self._valued_by(model, work, public).game(work.scaled)
            phi = Auto()(game, rng=np.random.default_rng(self.settings.seed)).values
            return np.asarray(phi / phi.max())

        try:
            found = gather_evidence(unfitted, work.scaled, allocation.game, alphas=alphas)
        except ValueError as error:  # evidence changes nothing, nor does that it can't be had
            self.note(f"evidence = true: it could not be gathered: {error}")
            return []
        for e in found:
            for sentence in e.sentences():
                self.note(f"{e.party}: {sentence}")
        return found

    def _tell(self, stage: str, done: int, total: int) -> None:
        if stage in ("value", "fit", "pretrain") or (stage == "realize" and done):
            self.progress(stage, done, total)
        else:
            self.stage(stage, total if stage == "realize" else None)

    @property
    def unit(self) -> str:
        """Of the values."""
        return unit_of(self.session.parts["valuation"])

    def _record(self, allocation: Allocation, work: _Work, model: BayesianModel, errors: Errors) -> dict[str, Any]:
        record = allocation_record(
            allocation,
            work.contributions,
            self.settings.run,
            self.session.texts,
            kind=self.kind,
            unit=self.unit,
            variance_unit=work.scaling.target_scale**2,
            errors=errors,
        )
        record["model"] = {**model.describe(), "standardized": self.settings.standardize}
        entries, findings = self.evidence(model, allocation.game, work.scaled)
        record |= entries
        if self.asks_references:
            record["diagnostics"].append(self._of_references(work, record["parties"]))
        if isinstance(noise := getattr(model, "noise", None), PartyNoise):
            record["diagnostics"] += self._by_party(noise, work, record["parties"])
        if isinstance(effects := getattr(model, "effects", None), PartyEffects):
            record["diagnostics"] += self._effects(effects, model, work, record["parties"])
        for sentence in errors.warnings():
            self.note(sentence)
        for sentence, warns in findings:
            if warns:
                self.note(sentence)
            else:
                record["diagnostics"].append(sentence)
        if self.settings.discloses_rows and (reason := getattr(model, "discloses_rows", "")):
            exact = [made.party for made in allocation.rewards if made.facts().get("eta") == 0.0]
            whose = f"; here that is {', '.join(exact)}" if exact else ""
            record["diagnostics"].append(f"discloses-rows = true: {reason}{whose}")
        return record

    def _of_references(self, work: _Work, entries: Sequence[dict[str, Any]]) -> str:
        """Where predictions are valued, and how much each party's references count."""
        if not self.most_references:
            return "predictions are valued at the inputs of the run's public rows"
        counts = [0 if c.references is None else len(c.references) for c in work.contributions]
        bring = sum(count > 0 for count in counts)
        for entry, count in zip(entries, counts, strict=True):
            entry |= {"reference_inputs": count, "reference_weight": 1.0 / bring if count else 0.0}
        return (
            f"predictions are valued at {sum(counts):,} inputs of rows that {bring} of {len(counts)} parties hold out; "
            f"each one's have {1.0 / bring:.0%} of the weight, however many they are. A party chooses its own, so that "
            f"{1.0 / bring:.0%} is what it can turn towards rows of its liking"
        )

    @property
    def _noise_by_party(self) -> bool:
        return isinstance(noise := getattr(self.session.parts["model"], "noise", None), str) and noise == BY_PARTY

    def _by_party(self, noise: PartyNoise, work: _Work, entries: Sequence[dict[str, Any]]) -> list[str]:
        """What each party's rows show of their noise, and what came of what it declared; in the target's units."""
        unit, said = work.scaling.target_scale**2, []
        for entry, scaled, own in zip(entries, work.scaled, work.contributions, strict=True):
            learned = noise.variances[entry["party"]] * unit
            entry["noise"] = {"learned": learned, "used": float(np.mean(noise.of(scaled))) * unit}
            given = getattr(own, "noise", None)  # sums declare none
            if given is None:
                continue
            declared = float(np.mean(given))
            entry["noise"]["declared"] = declared
            below = float(np.mean(np.asarray(given) < learned))
            came = "raises it" if below == 0.0 else "is not believed" if below == 1.0 else f"counts for {1 - below:.0%}"
            said.append(
                f"{entry['party']} declares a noise variance of {declared:.4g}, its rows show {learned:.4g}: what it "
                f"declares {came}"
            )
            self.journal.ledger("declared noise", party=entry["party"], declared=declared, learned=learned)
        return ["each party's rows count with a noise variance that is learned from all rows together", *said]

    def _effects(
        self, effects: PartyEffects, model: BayesianModel, work: _Work, entries: Sequence[dict[str, Any]]
    ) -> list[str]:
        """How far each party's weights are from those that all share, and what of its rows' worth is left by that."""
        plain: BayesianModel = replace(model, effects=None)  # type: ignore[type-var]
        alone = np.eye(len(work.scaled), dtype=bool)
        with_effects, without = (InformationGain(m).game(work.scaled)(alone) for m in (model, plain))
        said = []
        for entry, reached, full in zip(entries, with_effects, without, strict=True):
            share = float(reached / full) if full > 0.0 else 1.0
            entry["effect"] = {"variance": effects.of(entry["party"]), "share": share}
            said += [f"{entry['party']}: {sentence}" for sentence in [effect_said(entry)] if sentence]
        if len(entries) < FEWEST_PARTIES:
            return [
                f"of {len(entries)} parties nobody can tell which one's weights differ: effects='by-party' does nothing"
            ]
        return ["each party's own weights about those that all share are learned from all rows together", *said]

    def _units_said(self) -> str:
        """Which numbers the units of a reward tell beside the model, to go on after what that tells."""
        how = self.settings.standardize
        if not how:
            return ""
        numbers = "median and quartiles" if how == "robust" else "the mean and standard deviation"
        return f", and {numbers} of {'the pool' if self.session.public is None else 'the public rows'}"

    def _about(
        self, allocation: Allocation, i: int, made: MadeReward, model: BayesianModel, errors: Errors
    ) -> dict[str, Any]:
        """What a party may know of its reward: its own numbers, and what is common knowledge."""
        return {
            **party_view(allocation, i, self.settings.run, self.session.texts, unit=self.unit, errors=errors),
            "kind": self.kind,
            "reached": made.reached,
            "target_name": self.target,
            "model": _own_view(model.describe(), made.party),
            "contains": f"{made.contains}{self._units_said()}",
            **_tempering(made),
        }


def _own_facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a party may see of its own references and noise, where the run looks at them."""
    facts: dict[str, Any] = {}
    if "reference_inputs" in entry:
        facts["references"] = {"inputs": entry["reference_inputs"], "weight": entry["reference_weight"]}
    return {**facts, **({"noise": entry["noise"]} if "noise" in entry else {})}


def effect_said(entry: Mapping[str, Any]) -> str:
    """What is to be said of a party whose rows say something else than the others' do; "" of others."""
    share = entry.get("effect", {}).get("share", 1.0)
    if share > AGREES:
        return ""
    return (
        "its rows and the others' say different things of the weights, by more than noise explains, so that its rows "
        f"alone count for {share:.0%} of the information that as many rows which agreed would have"
    )


def _own_view(described: Mapping[str, Any], party: str) -> dict[str, Any]:
    """What a party may see of a model's description: of noise by party its own."""
    seen = {key: value for key, value in described.items() if key != "fit"}
    if isinstance(noise := seen.get("noise"), Mapping):
        seen["noise"] = noise[party]
    if isinstance(effects := seen.get("effects"), Mapping):
        seen["effects"] = effects[party]
    return seen


def _inputs(contributions: Sequence[Contribution]) -> list[Contribution]:
    """The contributions without their outputs."""
    return [replace(c, y=None) for c in contributions]


def _check_rows_stay(rewards: Sequence[MadeReward], contributions: Sequence[Contribution]) -> None:
    """Make sure that no reward of a model that does not say whether it ``discloses_rows`` holds a row of another party.

    Raises
    ------
    ValueError
        An array of a reward has some party's inputs among its rows, number by number.
    """
    of_party = {c.party: {row.tobytes() for row in np.ascontiguousarray(c.X)} for c in contributions}
    width = contributions[0].X.shape[1]
    for made in rewards:
        arrays = [a for a in _posterior(made).arrays().values() if a.ndim == 2 and a.shape[1] == width]
        held = {row.tobytes() for a in arrays if a.dtype == np.float64 for row in np.ascontiguousarray(a)}
        whose = [p for p, own in of_party.items() if p != made.party and held & (own - of_party.get(made.party, set()))]
        if whose:
            raise ValueError(
                f"the reward of {made.party!r} would hold rows of {', '.join(whose)}: no party has been sent any. Take "
                "a model whose rewards hold weights only, or say aloud that rows may be in rewards, "
                "discloses-rows = true"
            )


def _posterior(made: Any) -> Posterior:
    """The model in a reward that was made."""
    posterior: Posterior | None = getattr(made, "posterior", None)
    if posterior is None:
        raise ValueError(
            f"the realization made {made.party!r} a reward without a model: expected an attribute posterior, as that "
            "of guerdon.realization.ModelReward"
        )
    return posterior


def _tempering(made: Any) -> dict[str, Any]:
    """What the party needs to know what noise injection would have come to; only where its reward holds all rows."""
    kappa, eta, rows = (getattr(made, name, None) for name in ("kappa", "eta", "rows"))
    if kappa is None or eta is None or rows is None or not isinstance(made.posterior, GaussianProcessPosterior):
        return {}
    return {"tempering": {"eta": eta, "rows": list(rows)}} if 0.0 < kappa < 1.0 else {}


@dataclass(frozen=True, eq=False)
class _Work:
    """The pool as it came and in standard units.

    scaling : in which the values are taken; shown : that goes with rewards, of which all are made: blurred, where it is
    of the pool's own rows.
    """

    contributions: Sequence[Contribution]
    scaling: Scaling
    shown: Scaling

    @cached_property
    def scaled(self) -> list[Contribution]:
        """In standard units, with the same in the units that others see where these differ."""
        scaled = [self.scaling.apply(c) for c in self.contributions]
        if self.shown is self.scaling:
            return scaled
        return [
            replace(s, marks=replace(s.marks, shown=self.shown.apply(c)))
            for s, c in zip(scaled, self.contributions, strict=True)
            if s.marks is not None
        ]
