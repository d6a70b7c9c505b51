"""Synthetic-data rewards (Tay et al., AAAI 2022): to each party synthetic rows that make its data worth its reward."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from guerdon.audit import Disclosure, twin_rewards
from guerdon.features import ImageFeatures
from guerdon.generators import (
    AdversarialForest,
    EmbeddedMixture,
    FittedGenerator,
    GaussianMixture,
    GivenRows,
    GrownPool,
    ResumableGenerator,
    SyntheticData,
    check_labels,
    grow_until_feasible,
)
from guerdon.images import ImageShape, from_pixels, image_shape
from guerdon.pipeline import Allocation, Given, MadeReward, asks
from guerdon.scaling import Scaling
from guerdon.tables import Boolean, Columns, infer_columns
from guerdon.types import Contribution, FloatArray
from guerdon.valuation import MaximumMeanDiscrepancy
from strategies.auditing import SyntheticTwin, audit_synthetic, nothing_found
from strategies.conversation import Conversation
from strategies.errors import Errors
from strategies.fidelity import PoolFidelity, fidelity_averages
from strategies.fitting import check_made, check_parts, unit_of
from strategies.pooling import PoolingMediator
from strategies.record import allocation_record, party_view
from strategies.session import Outcome, Session
from strategies.synthetic_view import rows_drawn, synthetic_view
from strategies.trained_generator import fit_generator, quality_record
from wire.decoding import columns_of
from wire.kinds.embeddings import MOST_FREQUENCIES
from wire.kinds.synthetic import TELLING, Synthetic
from wire.messages import Introduction, MessageError, Reward
from wire.references import REFERENCES, references_term
from wire.schema import Schema
from wire.text import listed

__all__ = ["SyntheticDataRewards", "Work"]

WORDS = "the maximum mean discrepancy to all data"
"""What rewards are made by, whatever the data are valued by."""

AUDITED = 4
"""Beside the run's secret seed, what seeds the halves and twins of the audit."""

EVENING = 3
"""Beside the run's seed, what seeds which rows of a large party a generator is fitted to."""

SHOWN = 64
"""Samples in the picture grid of a generator of images."""


class SyntheticDataRewards(PoolingMediator):
    """Value data by its maximum mean discrepancy to everything, and give each party synthetic rows up to its reward.

    Composes the parts ``generator``, ``valuation``, ``shapley``, ``scheme`` and ``realization`` of the run config.
    Where it names no generator that is ``AdversarialForest()`` if the schema has a column that is not a number (a
    category, yes or no, flagged gaps), else ``GaussianMixture()``.
    Labels, where all parties send them, are for the synthetic rows and for scoring; values never see them.

    Where the parties' rows are images, so are the rewards, and ``features`` says what they are valued by: their pixels
    where it is left open. Pixels share one scale and are not standardised.

    Parameters
    ----------
    size : |G|, how many synthetic rows to draw at first
    limit : how many at most, where the scheme's bounds conflict and more rows might help; ``size`` when None
    frequencies : of the mean embeddings, where contribute = "statistics"; as many as keep alpha within .01 when None
    """

    audits: ClassVar[bool] = True
    numbers: ClassVar[bool] = False  # labels
    parts: ClassVar[Mapping[str, str]] = {
        "generator": "",  # a Gaussian mixture of numbers, an adversarial forest of other tables: see begin
        "features": "",
        "valuation": "MaximumMeanDiscrepancy(lengthscale='auto')",
        "shapley": "Auto()",
        "scheme": "RectifiedRhoShapley(incentive='stable')",
        "realization": "WeightedSampling(beta=1.0)",
    }

    def __init__(self, size: int = 10_000, limit: int | None = None, frequencies: int | None = None) -> None:
        limit = size if limit is None else limit
        if not (isinstance(size, int) and isinstance(limit, int) and 1 <= size <= limit):
            raise ValueError(f"size and limit are whole numbers with 1 <= size <= limit, got {size!r} and {limit!r}")
        if frequencies is not None and not (isinstance(frequencies, int) and 16 <= frequencies <= MOST_FREQUENCIES):
            raise ValueError(f"frequencies is a whole number from 16 to {MOST_FREQUENCIES}, got {frequencies!r}")
        self.size, self.limit, self.frequencies = size, limit, frequencies

    def from_statistics(self) -> Conversation:
        from strategies.embedded_rewards import EmbeddedRewards

        if type(self) is not SyntheticDataRewards:
            return super().from_statistics()
        return EmbeddedRewards(self.size, self.limit, self.frequencies)

    def accept(self, contribution: Contribution) -> None:
        try:
            check_labels(contribution)
        except ValueError as error:
            raise MessageError(str(error)) from error
        X = contribution.X
        outside = int(((X < 0.0) | (X > 1.0)).sum()) if image_shape(contribution.feature_names) is not None else 0
        if outside:
            raise MessageError(f"pixels must be numbers from 0 to 1, got {outside} others of {X.size}")

    def begin(self, session: Session) -> None:
        if "generator" not in session.parts:
            schema = session.settings.schema
            mixed = schema is not None and columns_of(schema).is_mixed
            generator = AdversarialForest() if mixed else GaussianMixture()
            named = {"generator": f"{type(generator).__name__}()"}
            session = replace(
                session, parts={**session.parts, "generator": generator}, texts={**session.texts, **named}
            )
        super().begin(session)
        self.carried = self._fit_of(session.parts, session.texts)
        if self._asks_public and session.public is None:
            raise ValueError(
                f"valuation = {session.texts['valuation']!r} values by public rows: name them, public-file = "
                '"/path/to/public.parquet" with the parties\' columns, or take another reference'
            )

    def check(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        if isinstance(parts.get("generator"), EmbeddedMixture) and "features" in self.parts:
            raise ValueError(
                f"generator = {texts['generator']!r} is fitted to mean embeddings, and this run asks for rows: take "
                'contribute = "statistics", or another generator'
            )
        self._fit_of(parts, texts)

    def _fit_of(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> str:
        own = self.parts["realization"]
        return check_parts(parts, texts, MaximumMeanDiscrepancy(), WORDS, own, things=("synthetic", "public"))

    @property
    def _asks_public(self) -> bool:
        return "public" in asks(self.session.parts["valuation"])

    def discloses(self) -> dict[str, str]:
        terms = super().discloses()
        return {**terms, REFERENCES: references_term(None)} if self._asks_public else terms

    def value(self, contributions: Sequence[Contribution]) -> Outcome:
        contributions = self._with_all_known(contributions)
        scaling = self._scaling(contributions)
        scaled = contributions if scaling.is_identity else [scaling.apply(c) for c in contributions]
        # From the secret seed: whoever can draw the synthetic pool again can tell which rows it was drawn from.
        rng_pool, rng_rewards = np.random.default_rng(self.journal.secret_seed()).spawn(2)
        rng_fit, rng_grow = rng_pool.spawn(2)
        features = self._features(scaled)
        # Images are labelled by their features, so the generator need not label them too.
        generator = self._generator(
            scaled if features is None else [replace(c, y=None) for c in scaled], scaling, rng_fit
        )
        public = self._public(scaled[0].feature_names or (), scaling) if self._asks_public else None
        grown = self._allocate(scaled, generator, features, public, rng_grow, rng_rewards)
        check_made(grown.allocation)
        quality, discloses = None, ""
        if isinstance(generator, FittedGenerator):
            discloses = generator.discloses
            shape = image_shape(scaled[0].feature_names) or generator.image_shape
            if shape is not None:
                self._show(grown.synthetic, shape, scaling)
            quality = quality_record(grown.synthetic, grown.contributions, fitted=self.session.generator is None)
        if discloses:
            self.note(f"the synthetic rows are {discloses}: agree to that before rewards are given")
        if self.carried and grown.allocation.rewards:
            self.note(self.carried)
        work = Work(contributions, scaled, self.target, scaling, features, public, grown, quality, discloses)
        for sentence in _lost_classes(work, self.settings.schema):
            self.note(sentence)
        allocation = grown.allocation
        columns = None if features is not None else contributions[0].feature_names
        alike = None if columns is None else PoolFidelity.of(contributions, scaling, self.target)
        fidelities = [
            None if alike is None else alike.record(grown.synthetic, rows_drawn(made)) for made in allocation.rewards
        ]
        view = synthetic_view(grown.contributions, grown.synthetic.points, allocation, columns, scaling)
        self.journal.save_view(view)
        errors = Errors.of(allocation, self.settings.holdout)
        for sentence in errors.warnings():
            self.note(sentence)
        record = self._record(allocation, work, errors)
        record["fidelity"] = None if alike is None else alike.record(grown.synthetic)
        for entry, found in zip(record["parties"], fidelities, strict=False):
            entry["fidelity"] = found
        return Outcome(
            record=record,
            alone={c.party: Reward(scaling.arrays(), {"kind": Synthetic.name, "alone": True}) for c in contributions},
            rewards={
                made.party: Reward(
                    work.arrays(made),
                    {
                        **self._about(allocation, i, made, work, errors),
                        "fidelity": fidelity_averages(fidelities[i]),
                    },
                )
                for i, made in enumerate(allocation.rewards)
            },
            audit=lambda: self._audit(work),
        )

    def _audit(self, work: Work) -> list[Disclosure]:
        """What the synthetic rows of each party give away of the others': twins come from generators fitted anew."""
        allocation, pool, parts = work.grown.allocation, work.scaled, self.session.parts
        if work.shape is not None and self.settings.audit is not True and not self.settings.limits_disclosure:
            why = "not looked into, since twins of images take as long as they do: audit = true asks for it"
            return nothing_found(allocation.parties, why)
        drawn = [_some_rows(work.grown.synthetic, rows_drawn(made)) for made in allocation.rewards]
        if self.session.generator is not None or self.session.synthetic is not None:
            # Twins would draw from it alike, and it may have been made of these very rows.
            why = "rows come from a generator, or a file, that was made before this run"
            return [
                replace(found, reason="", harmless=True) if len(own) == 0 else found
                for found, own in zip(nothing_found(allocation.parties, why), drawn, strict=True)
            ]
        self.stage("audit", len(pool) + 2)
        carrier, whole = MaximumMeanDiscrepancy(lengthscale="auto"), len(work.grown.synthetic)
        size = min(whole, max(whole // 2, *map(len, drawn)))  # half as many, but enough for the largest reward

        def twin(half: Sequence[Contribution], rng: np.random.Generator) -> SyntheticTwin:
            rng_fit, rng_draw, rng_rewards, rng_more = rng.spawn(4)
            source = self._fitted_to_half(half, rng_fit, pixels=work.features is not None)
            if work.features is None:
                synthetic = source.sample(size, rng=rng_draw)
            else:
                represented = work.features.fit(half, source, size, rng=rng_draw, progress=lambda *_: None)
                half, synthetic = represented.contributions, represented.first
            things = {"synthetic": synthetic.points, "public": work.public}
            made = twin_rewards(
                allocation,
                half,
                Given(parts["valuation"], things),
                parts["realization"],
                carrier=Given(carrier, things),
                rng=rng_rewards,
            )
            chosen = [
                _as_many(rows_drawn(m), len(real), len(synthetic), rng_more)
                for m, real in zip(made, drawn, strict=True)
            ]
            return SyntheticTwin([_some_rows(synthetic, rows) for rows in chosen])

        return audit_synthetic(
            allocation,
            pool,
            drawn,
            twin,
            columns=None if work.shape is not None else _columns_of(pool),
            rng=np.random.default_rng([self.journal.secret_seed(), AUDITED]),
            progress=self.progress,
        )

    def _fitted_to_half(
        self, half: Sequence[Contribution], rng: np.random.Generator, *, pixels: bool
    ) -> FittedGenerator:
        """The run's generator, fitted to one half of the rows as it was to all."""
        if (rows := getattr(self.session.parts["valuation"], "fitted_to", None)) is not None:
            half = rows(half, rng=np.random.default_rng([self.settings.seed, EVENING]))
        unlabelled = [replace(c, y=None) for c in half] if pixels else half
        fitted: FittedGenerator = self.session.parts["generator"].fit(unlabelled, rng=rng)
        return replace(fitted, columns=half[0].columns)

    def judge(self) -> None:
        kind = Synthetic()
        for entry in self.concluded.record["parties"]:
            scores = entry.get("reward") or {}
            if scores.get("membership_auc", 0.0) > TELLING:
                self.note(kind.disclosed({entry["party"]: scores}))

    def _with_all_known(self, contributions: Sequence[Contribution]) -> Sequence[Contribution]:
        """The contributions with what their columns are, by the schema and by what the pool holds; that is said.

        Images are what they are, and rows that are given are given as they are.
        """
        names, before = contributions[0].feature_names or (), contributions[0].columns
        if image_shape(names) is not None or self.session.synthetic is not None:
            return contributions
        X = np.concatenate([c.X for c in contributions])
        columns = infer_columns(X, names) if before is None else before.refined(X)
        if self.settings.agreed_before:  # valued when synthetic numbers were not rounded: its values stand
            columns = columns.any_decimals()
        if found := columns.findings(before):
            said = "; ".join(f"{what}: {listed(names)}" for what, names in found.items())
            self.note(f"synthetic rows are as all pooled rows are ({said}), which no schema says")
        return [replace(c, columns=columns) for c in contributions]

    def _features(self, contributions: Sequence[Contribution]) -> Any:
        """The representation that rows are valued in; None where that is their own columns."""
        features = self.session.parts.get("features")
        if features is None and image_shape(contributions[0].feature_names) is not None:
            return ImageFeatures(network="pixels", components=None)
        return features

    def _generator(
        self, scaled: Sequence[Contribution], scaling: Scaling, rng: np.random.Generator
    ) -> FittedGenerator | GivenRows:
        """What synthetic rows are drawn from: fitted on the pool, or given."""
        given = self._given(scaled[0].feature_names or (), scaling)
        if given is not None:
            return GivenRows(given)
        trains = self.session.generator is None and isinstance(self.session.parts["generator"], ResumableGenerator)
        self.stage("train" if trains else "fit")
        if (rows := getattr(self.session.parts["valuation"], "fitted_to", None)) is not None:
            scaled = rows(scaled, rng=np.random.default_rng([self.settings.seed, EVENING]))
        return fit_generator(self.session, scaled, scaling, rng=rng, progress=self._tell)

    def _allocate(
        self,
        scaled: Sequence[Contribution],
        generator: FittedGenerator | GivenRows,
        features: Any,
        public: FloatArray | None,
        rng: np.random.Generator,
        rng_rewards: np.random.Generator,
    ) -> GrownPool:
        """Everything decided and made, with a synthetic pool large enough for the scheme's bounds."""
        parts = self.session.parts
        given = len(generator.data) if isinstance(generator, GivenRows) else None
        size, limit = (self.size, self.limit) if given is None else (given, given)
        if features is None:
            self.stage("kernel", 100)
        return grow_until_feasible(
            scaled,
            generator,
            parts["valuation"],
            parts["shapley"],
            parts["scheme"],
            None if self.settings.stop_after == "valuation" else parts["realization"],
            size=size,
            limit=limit,
            rng=rng,
            secret_rng=rng_rewards,
            carrier=MaximumMeanDiscrepancy(lengthscale="auto"),
            features=features,
            public=public,
            progress=self._tell,
        )

    def _public(self, features: Sequence[str], scaling: Scaling) -> FloatArray:
        """The inputs of the run's public rows, in standard units."""
        columns = self.session.public or {}
        if "features" in self.session.parts or image_shape(features) is not None:
            raise ValueError(
                "reference='public' is of rows as they are, and this run values rows by features of images"
            )
        if missing := [name for name in features if name not in columns]:
            raise ValueError(f"public-file lacks the columns {listed(missing)}; it has {listed(list(columns))}")
        return scaling.features(np.column_stack([columns[name] for name in features]))

    def _scaling(self, contributions: Sequence[Contribution]) -> Scaling:
        """Of the features only: labels are what they are; and of none where they are pixels."""
        if not self.settings.standardize or image_shape(contributions[0].feature_names) is not None:
            return Scaling.identity(contributions[0].X.shape[1])
        inputs = [replace(c, y=None) for c in contributions]
        return Scaling.of_pool(inputs, robust=self.settings.standardize == "robust")

    def _given(self, features: Sequence[str], scaling: Scaling) -> SyntheticData | None:
        """The synthetic rows that the run config names a file of, in standard units."""
        columns = self.session.synthetic
        if columns is None:
            return None
        missing = [name for name in features if name not in columns]
        if missing:
            raise ValueError(f"synthetic-file lacks the features {listed(missing)}; it has {listed(list(columns))}")
        points = np.column_stack([columns[name] for name in features])
        if self.settings.schema is not None:
            schema = columns_of(self.settings.schema)
            points = schema.in_order([self.settings.schema.features.index(name) for name in features]).conform(points)
        return SyntheticData(scaling.features(points), columns.get(self.target))

    def _origin(self, discloses: str) -> str:
        """What a reward's rows are, and what they tell of others' rows, in words."""
        if self.session.synthetic is not None:
            return "synthetic rows that were given to the mediator"
        made = "fitted on the pool" if self.session.generator is None else "that was trained before this run"
        warning = f". Warning: they are {discloses}" if discloses else ""
        return f"synthetic rows drawn from a generator {made}{warning}"

    def _show(self, synthetic: SyntheticData, shape: ImageShape, scaling: Scaling) -> None:
        """The first samples as pictures."""
        if synthetic.pixels is not None:
            images = from_pixels(synthetic.pixels[:SHOWN])
        else:
            images = scaling.original_features(synthetic.points[:SHOWN])
        self.journal.save_samples(images.reshape(-1, *shape))

    def _tell(self, stage: str, done: int, total: int) -> None:
        if stage == "value":  # kernel values, of which there are billions
            self.progress("kernel", 100 * done // total, 100)
        elif stage in ("train", "features", "embed"):
            self.progress(stage, done, total)
        elif stage == "grow":
            self.journal.event("note", text=f"the bounds conflict: growing the synthetic pool to {done} rows")
        elif stage == "realize" and done:
            self.progress(stage, done, total)
        elif stage in ("rewards", "realize"):
            self.stage(stage, total if stage == "realize" else None)

    @property
    def unit(self) -> str:
        """Of the values."""
        return unit_of(self.session.parts["valuation"])

    def _record(self, allocation: Allocation, work: Work, errors: Errors) -> dict[str, Any]:
        record = allocation_record(
            allocation,
            work.contributions,
            self.settings.run,
            self.session.texts,
            kind=Synthetic.name,
            unit=self.unit,
            errors=errors,
        )
        record["model"] = {
            "lengthscale": getattr(allocation.game, "lengthscale", None),
            "standardized": not work.scaling.is_identity,
            "features": None if work.features is None else repr(work.features),
            "synthetic_rows": len(work.grown.synthetic),
            "sizes_tried": list(work.grown.sizes),
            "quality": work.quality,
        }
        for target, made in zip(allocation.targets.values, allocation.rewards, strict=False):
            stopped = made.facts().get("stopped", "target")
            if stopped != "target":
                self.note(f"{made.party}: sampling ended by {stopped}, {_short(target - made.reached, target)}")
        return record

    def _about(self, allocation: Allocation, i: int, made: MadeReward, work: Work, errors: Errors) -> dict[str, Any]:
        """What a party may know of its reward: how it was made, its own numbers, and what is common knowledge."""
        own = party_view(allocation, i, self.settings.run, self.session.texts, unit=self.unit, errors=errors)
        return {
            **own,
            "kind": Synthetic.name,
            "rows": len(rows_drawn(made)),
            **work.columns(i, self.introductions.get(made.party)),
            "target_name": self.target,
            "value_before": own["own_value"],
            "reached": made.reached,
            "stopped": made.facts().get("stopped", "the realization"),
            "seed_sha256": hashlib.sha256(str(self.journal.secret_seed()).encode()).hexdigest(),
            "realization": self.session.texts["realization"],
            "generator": self.session.texts["generator"],
            "synthetic_pool_rows": len(work.grown.synthetic),
            "lengthscale": getattr(allocation.game, "lengthscale", None),
            "contains": self._origin(work.discloses),
        }


def _lost_classes(work: Work, schema: Schema | None) -> list[str]:
    """A sentence for each reward that lacks a class which the pool has."""
    synthetic, target = work.grown.synthetic, work.target
    outputs = [c.y for c in work.contributions if c.y is not None]
    if synthetic.labels is None or not outputs:
        return []
    classes, counts = np.unique(np.concatenate(outputs), return_counts=True)
    words: Sequence[str] = next((c.values for c in schema.columns if c.name == target), ()) if schema else ()
    said = []
    for made in work.grown.allocation.rewards:
        drawn = synthetic.labels[rows_drawn(made)]
        lost = ~np.isin(classes, drawn)
        if len(drawn) and lost.any():
            named = listed([words[int(k)] if words else f"{k:g}" for k in classes[lost]])
            share = counts[lost].sum() / counts.sum()
            said.append(
                f"{made.party}: none of its {len(drawn)} synthetic rows has {target} {named}, as {share:.2g} of the "
                "pooled rows have"
            )
    return said


def _some_rows(synthetic: SyntheticData, rows: NDArray[np.int64]) -> SyntheticData:
    labels, pixels = synthetic.labels, synthetic.pixels
    return SyntheticData(
        synthetic.points[rows],
        None if labels is None else labels[rows],
        None if pixels is None else pixels[rows],
    )


def _as_many(chosen: NDArray[np.int64], count: int, of: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The first ``count`` rows chosen, with others at random where they are fewer."""
    left = np.setdiff1d(np.arange(of), chosen)
    return np.concatenate([chosen[:count], rng.permutation(left)[: max(0, count - len(chosen))]])


def _columns_of(pool: Sequence[Contribution]) -> Columns:
    """What the features of the pool are; by what they hold, where it is not known."""
    return pool[0].columns or infer_columns(np.concatenate([c.X for c in pool]), pool[0].feature_names or ())


def _short(missing: float, target: float) -> str:
    return f"{max(missing, 0.0):.3g} short of its target {target:.6g}"


@dataclass(frozen=True, eq=False)
class Work:
    """The pool as it came and in standard units, its scaling and what it is valued by (features, public rows), the
    synthetic pool with its game and quality, and what its generator discloses."""

    contributions: Sequence[Contribution]
    scaled: Sequence[Contribution]
    target: str
    scaling: Scaling
    features: Any
    public: FloatArray | None
    grown: GrownPool
    quality: dict[str, Any] | None
    discloses: str

    @property
    def shape(self) -> ImageShape | None:
        """Of the parties' images; None where their rows are something else."""
        return image_shape(self.contributions[0].feature_names)

    def columns(self, i: int, introduction: Introduction | None) -> dict[str, Any]:
        """The names of party i's columns, in what order it has them and which are whole; or the shape of its images."""
        if self.shape is not None:
            return {"image_shape": list(self.shape)}
        names, known = list(self.contributions[i].feature_names or ()), self.contributions[i].columns
        own = list(introduction.feature_names) if introduction else names
        whole = [] if known is None else [c.name for c in known.each if getattr(c, "whole", isinstance(c, Boolean))]
        return {"features": names, "order": own if sorted(own) == sorted(names) else names, "whole": whole}

    def arrays(self, made: MadeReward) -> dict[str, NDArray[Any]]:
        """A party's synthetic rows in its own units and the scaling used, or its images; with labels, if there are."""
        synthetic, indices = self.grown.synthetic, rows_drawn(made)
        labels = {} if synthetic.labels is None else {"labels": synthetic.labels[indices]}
        if synthetic.pixels is not None and self.shape is not None:
            return {"images": synthetic.pixels[indices].reshape(-1, *self.shape), **labels}
        points: FloatArray = self.scaling.original_features(synthetic.points[indices])
        if (columns := self.contributions[0].columns) is not None:
            points = columns.conform(points)  # in standard units they are so to rounding only
        return {"points": points, **labels, **self.scaling.arrays()}
