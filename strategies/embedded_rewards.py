"""Synthetic-data rewards from mean embeddings: each party sends one vector, and no row (guerdon.mean_embedding).

Values, Shapley values, floors, ceilings and the sampling of rewards need of a party's rows only inner products of their
embedding, and a generator is fitted to the sum of these. What an embedding is of must be known before a row is seen:
units are those of the run's public rows or of the schema's bounds, the frequencies follow from the run's seed, and the
length-scale, where it is left open, from public rows or from the bounds too.

A private party puts its noise on the embedding. Nothing needs clipping, since every row's features have length 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
from flwr.serverapp.exception import AggregationError

from guerdon.generators import EmbeddedMixture, FittedGenerator, GivenRows, grow_until_feasible
from guerdon.images import image_shape
from guerdon.mean_embedding import KernelFeatures
from guerdon.scaling import Scaling
from guerdon.shapley import RowShapley
from guerdon.tables import Category, Columns, Number
from guerdon.types import FloatArray
from guerdon.valuation import MaximumMeanDiscrepancy
from guerdon.valuation.embedded_mmd import EmbeddedDiscrepancy, EmbeddedGame
from strategies.auditing import audit_statistics
from strategies.conversation import Answer
from strategies.errors import Errors
from strategies.fitting import check_made
from strategies.of_sums import OfSums, private_note, scaling_of_bounds
from strategies.pooling import Read
from strategies.session import Outcome, Session
from strategies.synthetic_data_rewards import SyntheticDataRewards, Work
from wire.decoding import columns_of
from wire.kinds import statistics
from wire.kinds.embeddings import EMBEDDING, MOST_CLASSES, AskedEmbedding, PartyEmbedding, announced
from wire.kinds.synthetic import Synthetic
from wire.messages import Reward
from wire.schema import Schema

__all__ = ["EmbeddedRewards"]

FREQUENCIES, PRIVATE = 4096, 512
"""Frequencies where the run does not say how many: alpha is then within .01 (docs/rewards/synthetic.md). Noise on each
of them adds up, so that fewer are better where parties are private."""

ENOUGH = 0.01
"""A note says it where features leave alpha open by more than this."""

ALIKE = 0.6
"""A note says it where two rows have a kernel of more than this on average, at a length-scale that nobody chose."""

NOT_FROM_SUMS = (
    "the parties sent mean embeddings and no row, so that rows which parties share or repeat, rows that look "
    "implausible, how far numbers hang on the draw of rows, and how alike synthetic rows are to real ones can't be told"
)
"""What a run of embeddings goes without."""


class EmbeddedRewards(OfSums, SyntheticDataRewards):
    """``SyntheticDataRewards`` where the run config says contribute = "statistics"; it takes the same parts."""

    parts: ClassVar[Mapping[str, str]] = {
        **{key: text for key, text in SyntheticDataRewards.parts.items() if key != "features"},
        "generator": "EmbeddedMixture()",
    }

    def begin(self, session: Session) -> None:
        super().begin(session)
        settings, valuation = session.settings, session.parts["valuation"]
        if session.public is None and settings.standardize:
            scaling_of_bounds(settings.schema, outputs=False)  # refuses before anybody is asked
        if session.public is None and not settings.standardize and valuation.lengthscale == "auto":
            raise ValueError(
                'contribute = "statistics": the length-scale must be known before any row is seen. Give a number, '
                'valuation = "MaximumMeanDiscrepancy(lengthscale=2.0)"; or take standardize = true with a schema\'s '
                "bounds, or public rows (public-file)"
            )

    def check(self, parts: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        valuation = parts["valuation"]
        changed = not isinstance(valuation, MaximumMeanDiscrepancy) or any(
            getattr(valuation, field.name) != field.default
            for field in fields(valuation)
            if field.name != "lengthscale"
        )
        if changed or valuation.lengthscale == "paper":
            raise ValueError(
                f'contribute = "statistics": valuation = {texts["valuation"]!r} needs rows. Embeddings take '
                "MaximumMeanDiscrepancy(lengthscale='auto'), or a number in the units that rows are embedded in"
            )
        if isinstance(parts["shapley"], RowShapley):
            raise ValueError(
                f'contribute = "statistics": shapley = {texts["shapley"]!r} values single rows, of which embeddings '
                "tell nothing; take Auto()"
            )
        if not isinstance(parts["generator"], EmbeddedMixture):
            raise ValueError(
                f'contribute = "statistics": generator = {texts["generator"]!r} is fitted to rows. Leave it out, or '
                "take EmbeddedMixture(), which is fitted to embeddings; or name synthetic rows, synthetic-file"
            )
        super().check(parts, texts)

    def discloses(self) -> dict[str, str]:
        given = self.session.parts["valuation"].lengthscale
        lengthscale = None if given == "auto" else float(given)
        return {
            **super().discloses(),
            "contribute": "statistics",
            EMBEDDING: announced(self._frequencies, self.settings.seed, lengthscale),
        }

    # What is asked for, and what comes.

    def to_ask(self, columns: Sequence[str]) -> AskedEmbedding:
        if image_shape(columns) is not None:
            raise AggregationError('contribute = "statistics": images are embedded from rows only; contribute = "rows"')
        scaling = self._units(columns)
        features = KernelFeatures(self._lengthscale(columns, scaling), self._frequencies, self.settings.seed)
        return AskedEmbedding(tuple(columns), scaling, features, _classes(self.settings.schema))

    def read(self, answer: Answer) -> Read:
        sent = statistics.decode_embedding(
            answer.content,
            party=answer.party,
            target=self.target,
            asked=self.asked,
            max_megabytes=self.settings.max_contribution_mb,
        )
        return Read(sent, sent, sent)

    def entry(self, sent: Any) -> dict[str, Any]:
        promise = {} if sent.exact else {"epsilon": sent.epsilon, "delta": sent.delta}
        return {
            "contributed": "statistics",
            "sha256": statistics.content_hash(sent),
            "rows": len(sent),
            "features": sent.features.width,
            "columns": len(sent.feature_names),
            **promise,
        }

    def described(self, pool: Sequence[Any]) -> list[Any]:
        return [replace(part, columns=self._columns(part.feature_names)) for part in pool]

    @property
    def _frequencies(self) -> int:
        private = {text.strip() for text in self.settings.private.split(",")} - {"", "inf"}
        return self.frequencies or (PRIVATE if private else FREQUENCIES)

    def _columns(self, names: Sequence[str]) -> Columns:
        """What the features stand for; numbers, where no schema says it."""
        schema = self.settings.schema
        if schema is None:
            return Columns.of([Number(name, place) for place, name in enumerate(names)])
        return columns_of(schema).in_order([schema.features.index(name) for name in names])

    def _public_rows(self, names: Sequence[str]) -> FloatArray | None:
        public = self.session.public
        if public is None:
            return None
        if missing := [name for name in names if name not in public]:
            raise AggregationError(f"public-file lacks the columns {', '.join(missing)}")
        return np.column_stack([public[name] for name in names])

    def _units(self, names: Sequence[str]) -> Scaling:
        """From the data's own units to those that rows are embedded in."""
        if not self.settings.standardize:
            return Scaling.identity(len(names))
        public, schema = self._public_rows(names), self.settings.schema
        if public is not None:
            from guerdon.types import Contribution

            rows = [Contribution("public", public)]
            return Scaling.of_pool(rows, robust=self.settings.standardize == "robust")
        found = scaling_of_bounds(schema, outputs=False)
        order = [] if schema is None else [schema.features.index(name) for name in names]
        return replace(
            found,
            feature_mean=found.feature_mean[order],
            feature_scale=found.feature_scale[order],
            target_mean=0.0,
            target_scale=1.0,
        )

    def _lengthscale(self, names: Sequence[str], scaling: Scaling) -> float:
        """l: as it is given, else half the root mean square distance of public rows, or of rows spread over the bounds.

        Real rows fill little of their bounds, and half of that distance is then about what lies between them.
        """
        given = self.session.parts["valuation"].lengthscale
        if given != "auto":
            return float(given)
        public = self._public_rows(names)
        if public is not None:
            variance = float(scaling.features(public).var(axis=0).sum())
        else:
            variance = _spread(self._columns(names))
        return float(f"{0.5 * np.sqrt(2.0 * variance):.3g}")

    # What it comes to.

    def value(self, contributions: Sequence[Any]) -> Outcome:
        parts, scaling = self.session.parts, self.asked.scaling
        # From the secret seed: whoever can draw the synthetic pool again can tell what it was drawn from.
        rng_pool, rng_rewards = np.random.default_rng(self.journal.secret_seed()).spawn(2)
        rng_fit, rng_grow = rng_pool.spawn(2)
        generator = self._source(contributions, scaling, rng_fit)
        given = len(generator.data) if isinstance(generator, GivenRows) else None
        size, limit = (self.size, self.limit) if given is None else (given, given)
        self.stage("kernel", 100)
        grown = grow_until_feasible(
            contributions,
            generator,
            EmbeddedDiscrepancy(),
            parts["shapley"],
            parts["scheme"],
            None if self.settings.stop_after == "valuation" else parts["realization"],
            size=size,
            limit=limit,
            rng=rng_grow,
            secret_rng=rng_rewards,
            progress=self._tell,
        )
        allocation = grown.allocation
        check_made(allocation)
        work = Work(
            contributions=contributions,
            scaled=(),
            target=self.target,
            scaling=scaling,
            features=None,
            public=None,
            grown=grown,
            quality=None,
            discloses="",
        )
        errors = Errors.of(allocation, self.settings.holdout)
        record = self._record(allocation, work, errors)
        self._say_of_embeddings(record, contributions, allocation.game)
        return Outcome(
            record=record,
            alone={c.party: Reward(scaling.arrays(), {"kind": Synthetic.name, "alone": True}) for c in contributions},
            audit=lambda: audit_statistics(contributions, allocation.rewards),
            rewards={
                made.party: Reward(work.arrays(made), self._about(allocation, i, made, work, errors))
                for i, made in enumerate(allocation.rewards)
            },
        )

    def _source(
        self, contributions: Sequence[PartyEmbedding], scaling: Scaling, rng: np.random.Generator
    ) -> FittedGenerator | GivenRows:
        """What synthetic rows are drawn from: fitted to the embeddings, or given."""
        given = self._given(contributions[0].feature_names, scaling)
        if given is not None:
            return GivenRows(given)
        self.stage("fit")
        columns = contributions[0].columns or self._columns(contributions[0].feature_names)
        generator: EmbeddedMixture = self.session.parts["generator"]
        return generator.fit(
            contributions, columns=columns.scaled(scaling.feature_mean, scaling.feature_scale), rng=rng
        )

    def _origin(self, discloses: str) -> str:
        if self.session.synthetic is not None:
            return super()._origin(discloses)
        return "synthetic rows drawn from a generator fitted to the sum of the parties' mean embeddings, without rows"

    def _say_of_embeddings(self, record: dict[str, Any], parties: Sequence[PartyEmbedding], game: Any) -> None:
        """Put into the record what is different from one of rows."""
        record["contribute"] = "statistics"
        record["model"]["frequencies"] = parties[0].features.frequencies
        record["diagnostics"].append(NOT_FROM_SUMS)
        private = [part.party for part in parties if not part.exact]
        left_open = game.alpha_errors if isinstance(game, EmbeddedGame) else None
        if left_open is not None:
            for entry, error in zip(record["parties"], left_open, strict=True):
                entry["embedding"] = {"alpha": float(error)}
            self._say_how_open(record, float(left_open.max()), parties[0].features.frequencies, bool(private))
        for entry, part in zip(record["parties"], parties, strict=True):
            if not part.exact:
                counts = game.sizes[[p.party for p in parties].index(part.party)] / max(part.size, 1.0)
                entry.update(epsilon=part.epsilon, delta=part.delta)
                if not counts:  # nothing is left of its value, which can't be told without its noise
                    record["diagnostics"].append(f"{part.party} counts as a party without rows: its noise is more")
                    continue
                entry["privacy_cost"] = float(_cost(game, part))
                record["diagnostics"].append(f"the rows of {part.party} count {counts:.2f} times for their noise")
        alike = float(game.block_sums.sum()) / game.reference**2 if isinstance(game, EmbeddedGame) else 0.0
        if self.session.parts["valuation"].lengthscale == "auto" and alike > ALIKE:
            shorter = float(f"{0.5 * game.lengthscale:.2g}")
            self.note(
                f"rows fill little of their bounds: at the length-scale {game.lengthscale:g} the kernel of any two is "
                f"{alike:.2f} on average, so that parties look alike. A shorter one tells them apart better: valuation "
                f'= "MaximumMeanDiscrepancy(lengthscale={shorter:g})"'
            )
        untold = sum(float(part.counts[-1]) for part in parties)
        if parties[0].classes and untold:
            self.note(
                f"{untold:.0f} rows are of classes of which their party has fewer than 20: the values have them, and "
                "synthetic rows follow the others"
            )
        if private:
            self.note(private_note(private, self.settings.simulated))

    def _say_how_open(self, record: dict[str, Any], error: float, frequencies: int, private: bool) -> None:
        by = f"{frequencies:,} frequencies" + (" and the parties' noise" if private else "")
        sentence = f"alpha's ± is what {by} leave open: a standard error of {error:.2g} at most"
        if error <= ENOUGH or private:
            record["diagnostics"].append(sentence)
            return
        needed = int(np.ceil(frequencies * (error / ENOUGH) ** 2 / 1024.0)) * 1024
        self.note(
            f"{sentence}. About {needed:,} would bring it to {ENOUGH:g}: SyntheticDataRewards(frequencies={needed})"
        )


def _cost(game: Any, part: PartyEmbedding) -> float:
    """By how much less a party's own data are valued for its noise."""
    i = [p.party for p in game.contributions].index(part.party)
    return float(game.penalty[i] / game.sizes[i] ** 2)


def _classes(schema: Schema | None) -> tuple[float, ...]:
    """The labels that sums are told by: those of a category, of yes or no, or of few whole numbers between bounds."""
    target = next((c for c in schema.columns if c.name == schema.target), None) if schema else None
    if target is None:
        return ()
    if target.type == "category":
        return tuple(float(k) for k in range(len(target.values)))
    if not target.numeric:
        return (0.0, 1.0)
    if target.whole and target.minimum is not None and target.maximum is not None:
        classes = np.arange(np.ceil(target.minimum), np.floor(target.maximum) + 1.0)
        return tuple(classes.tolist()) if len(classes) <= MOST_CLASSES else ()
    return ()


def _spread(columns: Columns) -> float:
    """The variance of all features together, each in units in which it goes from -1 to 1, of rows spread evenly."""
    total = 0.0
    for column in columns.each:
        if isinstance(column, Number):
            total += 1.0 / 3.0
        else:
            levels = len(column.places) if isinstance(column, Category) else 2
            total += (4.0 if isinstance(column, Category) else 2.0) * (1.0 - 1.0 / levels)
    return total
