"""The certificate: which of the incentive conditions R1-R7 and F1-F3 the rewards satisfy, computed, not assumed.

Sim et al. (ICML 2020), section 4.1. Every comparison is made at 1e-9 v_N; every failure comes with its witness. Where
Shapley values are estimates, the certificate also says which parties' order they leave open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from guerdon.rewards.rho_shapley import TIE, weaker_coalitions
from guerdon.shapley.exact import MAX_EXACT_PARTIES
from guerdon.types import (
    FloatArray,
    Game,
    RewardTargets,
    ShapleyValues,
    TableGame,
    coalition_members,
    game_table,
    shapley_array,
)

__all__ = ["Certificate", "Check", "certify"]

TOLERANCE = 1e-9

CONFIDENCE = 0.95
"""Two parties' order is settled when their difference is beyond its error with this confidence."""

NAMED_PAIRS = 5
"""So many pairs are named in a witness, those with the least certain order first."""


@dataclass(frozen=True)
class Check:
    """One condition: whether it holds (None where it can't be checked), and the witness that it fails or holds.

    ``parties`` and ``coalition`` are the witness as indices, where there is one.
    """

    name: str
    title: str
    holds: bool | None
    witness: str
    parties: tuple[int, ...] = ()
    coalition: tuple[int, ...] | None = None

    def __bool__(self) -> bool:
        return self.holds is True


EXACT_ORDER = Check("order", "order of the parties", True, "the Shapley values are exact")

OF_PARTIES = Check("shells", "a party under several names", None, "the values are of parties")
"""What is said of shells where Shapley values are of parties: nothing, since no promise is made."""

BY_ROWS = "; the values are of single rows, so that who has more of them gets more"


@dataclass(frozen=True)
class Certificate:
    """The checks by name (``certificate.R4``, ``certificate["R4"]``), in the order of the paper.

    ``order`` says whether sampling left the order of any two parties open; a walk through the certificate passes it
    over where Shapley values are exact and nothing could be. ``shells`` stands only where the values are of single rows
    (``guerdon.shapley.RowShapley``): what a party under several names gets in sum.
    """

    R1: Check
    R2: Check
    R3: Check
    R4: Check
    R5: Check
    F1: Check
    F2: Check
    F3: Check
    F4: Check
    R6: Check
    R7: Check
    stability: Check
    order: Check = EXACT_ORDER
    shells: Check = OF_PARTIES

    def __getitem__(self, name: str) -> Check:
        found: Check = getattr(self, name)
        return found

    def __iter__(self) -> Iterator[Check]:
        checks = (getattr(self, field.name) for field in fields(self))
        return (check for check in checks if check not in (EXACT_ORDER, OF_PARTIES))


def certify(
    game: Game | ArrayLike, shapley: ShapleyValues | ArrayLike, targets: RewardTargets | ArrayLike
) -> Certificate:
    """Check the rewards against the game.

    Parameters
    ----------
    game : Game or (2**n,) array
        Up to 16 parties every coalition is looked at; beyond, the conditions that need all of them are reported as not
        checked, and R6 is checked on the coalitions C_i = {j : phi_j <= phi_i}, which suffice if the value is monotone.
    shapley : (n,) array or ShapleyValues
        An array is taken as exact.
    targets : RewardTargets or (n,) array
        An array is the reward values alone, whose maximum and ceilings are then v_N.
    """
    game = game if callable(game) else TableGame(np.asarray(game, dtype=np.float64))
    by_rows = isinstance(shapley, ShapleyValues) and shapley.rows is not None
    margins = shapley.difference_margins(CONFIDENCE) if isinstance(shapley, ShapleyValues) and by_rows else None
    subject = _Subject.of(game, shapley_array(shapley), targets, margins)
    fairness = (_uselessness(subject), _symmetry(subject), _strict_desirability(subject))
    return Certificate(
        R1=_non_negativity(subject),
        R2=_feasibility(subject),
        R3=_weak_efficiency(subject),
        R4=_individual_rationality(subject),
        R5=_fairness(subject, fairness),
        F1=fairness[0],
        F2=fairness[1],
        F3=fairness[2],
        F4=Check("F4", "strict monotonicity", None, _strict_monotonicity(subject)),
        R6=_stability_of_grand_coalition(subject),
        R7=_group_welfare(subject),
        stability=_definition_3(subject),
        order=_order(subject, shapley) if isinstance(shapley, ShapleyValues) else EXACT_ORDER,
        shells=_shells(shapley) if isinstance(shapley, ShapleyValues) and by_rows else OF_PARTIES,
    )


@dataclass(frozen=True, eq=False)
class _Subject:
    """What is certified: values, Shapley values, rewards, and the names to speak of them.

    row_margins : how far the difference of two values of single rows may be off (n, n); None of values of parties.
    """

    n: int
    game: Game
    table: FloatArray | None
    alone: FloatArray
    pool: float
    phi: FloatArray
    rewards: FloatArray
    deficits: FloatArray
    maximum: float
    ceilings: FloatArray
    names: tuple[str, ...]
    rho: float | None
    stable: float | None
    rho_from_game: bool | None
    row_margins: FloatArray | None = None

    @classmethod
    def of(
        cls,
        game: Game,
        phi: FloatArray,
        targets: RewardTargets | ArrayLike,
        row_margins: FloatArray | None = None,
    ) -> _Subject:
        n = game.n
        pool = float(game(np.ones((1, n), dtype=bool))[0])
        if not isinstance(targets, RewardTargets):
            values = np.asarray(targets, dtype=np.float64)
            targets = RewardTargets(values=values, rho=None, maximum=pool, ceilings=np.full(n, pool))
        if phi.shape != (n,) or targets.values.shape != (n,):
            raise ValueError(
                f"a game of {n} parties needs Shapley values and rewards of shape ({n},), "
                f"got {phi.shape} and {targets.values.shape}"
            )
        deficits = targets.maximum - targets.values if targets.deficits is None else targets.deficits
        names = getattr(game, "parties", None) or tuple(str(i) for i in range(n))
        return cls(
            n=n,
            game=game,
            table=game_table(game) if n <= MAX_EXACT_PARTIES else None,
            alone=np.asarray(game(np.eye(n, dtype=bool))),
            pool=pool,
            phi=phi,
            rewards=targets.values,
            deficits=deficits,
            maximum=targets.maximum,
            ceilings=targets.ceilings,
            names=names,
            rho=targets.rho,
            stable=None if targets.thresholds is None else targets.thresholds.stable,
            rho_from_game=targets.rho_from_game,
            row_margins=row_margins,
        )

    @property
    def tolerance(self) -> float:
        return TOLERANCE * abs(self.pool)

    @property
    def shapley_differs(self) -> bool:
        """Whether the Shapley values are not all equal."""
        return bool(np.ptp(self.phi) > TIE * np.abs(self.phi).max())

    @property
    def by_rows(self) -> str:
        """What a witness adds where the values are of single rows."""
        return "" if self.row_margins is None else BY_ROWS

    def alike(self, i: int, j: int) -> bool:
        """Whether two parties that are interchangeable count as such: by their values, where these are of parties, as
        the scheme counts; of single rows always, but for what is within the sampling error."""
        apart = float(abs(self.phi[i] - self.phi[j]))
        if self.row_margins is None:
            return apart <= TIE * float(np.abs(self.phi).max())
        return not 0.0 < apart <= float(self.row_margins[i, j])

    def coalition(self, members: tuple[int, ...]) -> str:
        return "{" + ", ".join(self.names[i] for i in members) + "}"


def _each_party(
    subject: _Subject, name: str, title: str, margin: FloatArray, fails: str, bound: FloatArray | None = None
) -> Check:
    """A condition margin_i >= 0 for every party; the witness is the worst party."""
    worst = int(np.argmin(margin))
    if margin[worst] >= -subject.tolerance:
        return Check(
            name, title, True, f"smallest margin {max(margin[worst], 0.0):.6g}, {subject.names[worst]}", (worst,)
        )
    limit = "" if bound is None else f" {bound[worst]:.6g}"
    return Check(
        name, title, False, f"{subject.names[worst]}: r = {subject.rewards[worst]:.6g} {fails}{limit}", (worst,)
    )


def _non_negativity(s: _Subject) -> Check:
    return _each_party(s, "R1", "non-negativity", s.rewards, "is negative")


def _feasibility(s: _Subject) -> Check:
    return _each_party(s, "R2", "feasibility", s.ceilings - s.rewards, "is above its ceiling", s.ceilings)


def _weak_efficiency(s: _Subject) -> Check:
    best = int(np.argmax(s.rewards))
    holds = bool(abs(s.rewards[best] - s.maximum) <= s.tolerance)
    verb = "reaches" if holds else "misses"
    witness = f"{s.names[best]}: r = {s.rewards[best]:.6g} {verb} the maximum {s.maximum:.6g}"
    return Check("R3", "weak efficiency", holds, witness, (best,))


def _individual_rationality(s: _Subject) -> Check:
    return _each_party(s, "R4", "individual rationality", s.rewards - s.alone, "is below its own data's", s.alone)


def _unchecked(name: str, title: str, n: int) -> Check:
    return Check(name, title, None, f"not checked: it needs all 2**{n} coalitions")


def _uselessness(s: _Subject) -> Check:
    """F1: a party that adds nothing to any coalition gets nothing."""
    title = "uselessness"
    if s.table is None:
        return _unchecked("F1", title, s.n)
    little = [i for i in range(s.n) if np.all(np.abs(_gains(s.table, i)) <= s.tolerance)]
    tie = TIE * float(np.abs(s.phi).max())
    # As the scheme counts: what is above that is a little. Values of rows are not those of the parties' gains.
    useless = [i for i in little if abs(s.phi[i]) <= tie or s.row_margins is not None]
    for i in useless:
        if abs(s.rewards[i]) > s.tolerance:
            return Check(
                "F1", title, False, f"{s.names[i]} adds nothing but gets r = {s.rewards[i]:.6g}{s.by_rows}", (i,)
            )
    if len(little) > len(useless):
        almost = ", ".join(f"{s.names[i]} (phi = {s.phi[i]:.2g})" for i in little if i not in useless)
        return Check("F1", title, True, f"no useless party is given anything; almost useless: {almost}")
    who = ", ".join(s.names[i] for i in useless)
    return Check("F1", title, True, f"useless and given nothing: {who}" if useless else "no party is useless")


def _gains(table: FloatArray, i: int) -> FloatArray:
    """v(C + i) - v(C) for every C without i: (2**(n-1),)."""
    split = table.reshape(-1, 2, 1 << i)
    return np.asarray((split[:, 1] - split[:, 0]).ravel())


def _differences(table: FloatArray, i: int, j: int) -> tuple[FloatArray, np.ndarray]:
    """v(C + i) - v(C + j) for every C without both, and those C as bitmasks."""
    masks = np.arange(len(table))
    without = masks[(masks >> i & 1 == 0) & (masks >> j & 1 == 0)]
    return table[without | 1 << i] - table[without | 1 << j], without


def _symmetry(s: _Subject) -> Check:
    """F2: parties that are interchangeable get the same."""
    title = "symmetry"
    if s.table is None:
        return _unchecked("F2", title, s.n)
    pairs = 0
    for i in range(s.n):
        for j in range(i + 1, s.n):
            if s.alike(i, j) and np.all(np.abs(_differences(s.table, i, j)[0]) <= s.tolerance):
                pairs += 1
                if abs(s.rewards[i] - s.rewards[j]) > s.tolerance:
                    witness = (
                        f"{s.names[i]} and {s.names[j]} are interchangeable but get "
                        f"{s.rewards[i]:.6g} and {s.rewards[j]:.6g}{s.by_rows}"
                    )
                    return Check("F2", title, False, witness, (i, j))
    return Check(
        "F2", title, True, f"{pairs} interchangeable pairs get the same" if pairs else "no two are interchangeable"
    )


def _strict_desirability(s: _Subject) -> Check:
    """F3: a party that adds at least as much everywhere and more somewhere gets strictly more."""
    title = "strict desirability"
    if s.table is None:
        return _unchecked("F3", title, s.n)
    pairs = 0
    for i in range(s.n):
        for j in range(s.n):
            if i == j:
                continue
            gap, masks = _differences(s.table, i, j)
            if np.all(gap >= -s.tolerance) and np.any(gap > s.tolerance):
                pairs += 1
                # Deficits tell rewards apart that differ by less than a float at v_N can show (rho near 0).
                if not (s.rewards[i] > s.rewards[j] or s.deficits[i] < s.deficits[j]):
                    members = coalition_members(int(masks[np.argmax(gap)]), s.n)
                    witness = (
                        f"{s.names[i]} adds no less than {s.names[j]} to any coalition and {gap.max():.6g} more to "
                        f"{s.coalition(members)}, but gets {s.rewards[i]:.6g} against {s.rewards[j]:.6g}"
                        f"{s.by_rows}"
                    )
                    return Check("F3", title, False, witness, (i, j), members)
    return Check("F3", title, True, f"{pairs} ordered pairs are rewarded in order" if pairs else "no two are ordered")


def _strict_monotonicity(s: _Subject) -> str:
    """What is known of F4: a party whose data is worth more to some coalitions, all else equal, gets more."""
    if s.row_margins is not None:
        return (
            "does not follow: the values are of single rows. Among rows it holds for a rho agreed on beforehand; a "
            "party that is worth more to coalitions of parties can have rows that are worth less to sets of rows"
        )
    if s.rho_from_game is False:
        while_ = "" if abs(s.maximum - s.pool) <= s.tolerance else ", while the maximum v* stays as it is"
        return f"by theorem, for rho = {s.rho:.6g} as it was given{while_}: not checkable from one game"
    if s.rho_from_game is None or s.rho is None:
        return "by theorem where rho was agreed on beforehand, and not where it was chosen from the game: not checkable"
    lower = float(np.floor(1e3 * s.rho)) / 1e3  # so that what holds at rho, R4 or R6, still does
    offer = f", such as rho = {lower:g}, proposed as rho={lower:g} in place of the scheme's rho" if lower > 0.0 else ""
    return (
        f"does not follow: rho = {s.rho:.6g} was chosen from this game, and a party that brings more can raise it and "
        f"be paid less. By theorem it holds for a rho agreed on beforehand{offer}"
    )


def _fairness(s: _Subject, parts: tuple[Check, Check, Check]) -> Check:
    """R5: F1 to F4, of which F4 speaks of two games and can't be checked on one, but fails at rho = 0 (Theorem 1)."""
    if s.rho == 0.0 and s.shapley_differs:
        how = "Shapley values differ but do not count in the rewards"  # which may differ by the parties' own data
        if np.ptp(s.rewards) <= s.tolerance:
            how = "rewards are equal although Shapley values differ"
        witness = f"rho = 0: {how} (F4){_conflict(s)}{_left_alone(s)}"
        return Check("R5", "fairness", False, witness, (int(np.argmax(s.phi)), int(np.argmin(s.phi))))
    failed = [part for part in parts if part.holds is False]
    if failed:
        return Check(
            "R5", "fairness", False, f"{failed[0].name} fails: {failed[0].witness}{_left_alone(s)}", failed[0].parties
        )
    if any(part.holds is None for part in parts):
        return Check("R5", "fairness", None, f"{parts[0].witness}{_left_alone(s)}")
    return Check("R5", "fairness", True, f"F1, F2 and F3 hold{_left_alone(s)}")


def _conflict(s: _Subject) -> str:
    """Why R5 and R6 can't both hold for this game, for the witness of the one that fails."""
    if s.stable != 0.0 or not s.shapley_differs:
        return ""
    return "; rho_s = 0: only equal rewards are stable, so fairness (R5) and stability (R6) exclude each other"


def _left_alone(s: _Subject) -> str:
    """The parties of worth that add nothing to coalitions on average and keep their own data, for the witness."""
    tie = TIE * float(np.abs(s.phi).max())
    alone = [i for i in range(s.n) if s.phi[i] < -tie or (s.phi[i] <= tie and s.alone[i] > s.tolerance)]
    names = ", ".join(s.names[i] for i in alone)
    return f"; no positive Shapley value, so own data only, outside the theorem: {names}" if alone else ""


def _stability_of_grand_coalition(s: _Subject) -> Check:
    """R6: in every coalition, whoever has the largest Shapley value gets at least what the coalition is worth."""
    title = "stability of the grand coalition"
    weaker = weaker_coalitions(s.phi)
    if s.table is None:
        margins = s.rewards - np.asarray(s.game(weaker))
        worst = int(np.argmin(margins))
        holds = bool(margins[worst] >= -s.tolerance)
        members = tuple(np.flatnonzero(weaker[worst]).tolist())
        how = "checked on the coalitions of weaker parties only, which suffices if the value is monotone"
        conflict = "" if holds else _conflict(s)
        witness = f"{how}; smallest margin {margins[worst]:.6g}, {s.names[worst]}{conflict}"
        return Check("R6", title, holds, witness, (worst,), members)
    masks = np.arange(1 << s.n)
    worst, worst_mask, worst_margin = 0, 0, np.inf
    for i in range(s.n):
        outside = ~int(weaker[i] @ (1 << np.arange(s.n)))
        led = masks[(masks >> i & 1 == 1) & (masks & outside == 0)]
        best = int(led[np.argmax(s.table[led])])
        if s.rewards[i] - s.table[best] < worst_margin:
            worst, worst_mask, worst_margin = i, best, s.rewards[i] - s.table[best]
    members = coalition_members(worst_mask, s.n)
    if worst_margin >= -s.tolerance:
        witness = f"smallest margin {max(worst_margin, 0.0):.6g}, {s.names[worst]} in {s.coalition(members)}"
        return Check("R6", title, True, witness, (worst,), members)
    alone, rewarded = _apart(float(s.table[worst_mask]), float(s.rewards[worst]))
    witness = f"{s.coalition(members)} is worth {alone} on its own, more than the {rewarded} of {s.names[worst]}"
    witness += _conflict(s)
    return Check("R6", title, False, witness, (worst,), members)


def _definition_3(s: _Subject) -> Check:
    """Definition 3: every coalition has a member whom leaving would not help. R6 implies it."""
    title = "stability (Definition 3)"
    if s.table is None:
        return _unchecked("stability", title, s.n)
    best = np.full(1, -np.inf)  # best[mask] = the largest reward within the coalition
    for i in range(s.n):
        best = np.concatenate([best, np.maximum(best, s.rewards[i])])
    margins = best[1:] - s.table[1:]
    mask = int(np.argmin(margins)) + 1
    members = coalition_members(mask, s.n)
    if margins[mask - 1] >= -s.tolerance:
        witness = f"smallest margin {max(margins[mask - 1], 0.0):.6g}, {s.coalition(members)}"
        return Check("stability", title, True, witness, (), members)
    witness = f"all of {s.coalition(members)} gain by leaving: {s.table[mask]:.6g} against at most {best[mask]:.6g}"
    return Check("stability", title, False, witness, members, members)


def _group_welfare(s: _Subject) -> Check:
    """R7: the sum of rewards against the largest it could be, every reward at its ceiling."""
    welfare, largest = float(s.rewards.sum()), float(s.ceilings.sum())
    holds = bool(largest - welfare <= s.tolerance * s.n)
    share = f", {welfare / largest:.1%}" if largest > 0.0 else ""
    reached, possible = _apart(welfare, largest)
    return Check("R7", "group welfare", holds, f"{reached} of at most {possible}{share}")


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers in six significant digits, or in as many as it takes to tell them apart."""
    texts = f"{one:.6g}", f"{other:.6g}"
    for digits in range(7, 18):
        if texts[0] != texts[1] or one == other:
            break
        texts = f"{one:.{digits}g}", f"{other:.{digits}g}"
    return texts


def _shells(shapley: ShapleyValues) -> Check:
    """That the values are the sums of their rows': who appears under several names gets the same in sum."""
    rows = np.asarray(shapley.rows)
    gap = abs(float(rows.sum() - shapley.values.sum()))
    holds = gap <= TOLERANCE * float(np.abs(shapley.values).sum())
    how = "exactly" if shapley.standard_errors is None else "within the standard errors of the values"
    witness = (
        f"each Shapley value is the sum of the values of the party's rows ({len(rows):,} in all): rows under several "
        f"names are worth the same in sum, {how}"
    )
    if not holds:
        witness = f"the rows' values miss the parties' by {gap:.3g} in sum"
    return Check("shells", OF_PARTIES.title, holds, witness)


def _order(s: _Subject, shapley: ShapleyValues) -> Check:
    """Whether every two estimates differ by more than their difference may be off, each pair by itself.

    It can't be told, rather than fails, where they don't: parties that bring the same can never be set apart.
    """
    rounding = TIE * float(np.abs(s.phi).max())
    if shapley.standard_errors is None or np.all(shapley.standard_errors <= rounding):
        return EXACT_ORDER
    first, second = np.triu_indices(s.n, k=1)
    apart = np.abs(s.phi[first] - s.phi[second])
    margins = shapley.difference_margins(CONFIDENCE)[first, second]
    open_pairs = np.flatnonzero((apart <= margins) & (margins > rounding))
    count, confidence = len(first), f"{CONFIDENCE:.0%} confidence, each pair by itself"
    if not len(open_pairs):
        return Check("order", EXACT_ORDER.title, True, f"beyond the sampling error in all {count} pairs ({confidence})")
    open_pairs = open_pairs[np.argsort(apart[open_pairs] / margins[open_pairs], kind="stable")]
    named = [
        f"{s.names[first[k]]} and {s.names[second[k]]} (phi {apart[k]:.2g} apart, known to {margins[k]:.2g})"
        for k in open_pairs[:NAMED_PAIRS]
    ]
    more = f" and {len(open_pairs) - NAMED_PAIRS} more" if len(open_pairs) > NAMED_PAIRS else ""
    witness = (
        f"within the sampling error in {len(open_pairs)} of {count} pairs ({confidence}): {', '.join(named)}{more}"
    )
    return Check("order", EXACT_ORDER.title, None, witness, (int(first[open_pairs[0]]), int(second[open_pairs[0]])))
