"""What looks implausible in the parties' data: findings by party and column that never quote a value.

Four questions are asked of a column; each is robust, so that what is found does not hide itself:

- *elsewhere*: do the parties fall into two groups whose middles (from the 10 % to the 90 % quantile) leave a gap of
  more than twice what the wider group spans, on the scale of the values or of their logarithms? Or would a change of
  units (``UNITS``) lay the one group over the other?
- *coding*: does a party hold two values where most parties hold two others, as 1 and 2 beside 0 and 1?
- *code*: does 9999, -99 or the like stand there again and again, beyond all other values?
- *extreme*: do single cells lie far outside the middle half, on both scales, where the tail of the others makes less
  than ``LEVEL`` such cells likely? Of deviations d_1 >= d_2 >= ... from the median, the k - j that follow d_j have the
  moments M_r = mean log(d_i / u)^r beyond u = d_{k+1}, which give the tail's shape and scale (Dekkers, Einmahl and de
  Haan, Annals of Statistics 1989),

      xi = M_1 + 1 - 1 / (2 (1 - M_1^2 / M_2)),    sigma = u M_1 (1 - min(xi - M_1, 0)),

  and (k - j) (1 + xi (d_j - u) / sigma)^(-1 / xi) cells as far as d_j, where 1 + 10 / (k - j) standard errors are added
  to xi.
- and of the *rows* with such cells: what share of a linear model's information gain rests on them alone,
  1 - log det(I + X'X without them) / log det(I + X'X) in standard units.

A finding is no proof: a children's hospital has other ages. What parties differ in by design, such as ages sorted over
them, leaves no gap and is not found. Of 14,000 honest columns of 14 kinds (heavy tails, rare events, counts, sorted
partitions, parties of three rows; tests/guerdon/test_plausibility.py draws them) 17 had a finding, 15 of them with
tails of a power law.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from guerdon.types import Contribution, FloatArray

__all__ = ["LARGEST", "UNITS", "Finding", "code_cells", "extreme_cells", "find_implausible", "overflow", "unit_between"]

Mask = NDArray[np.bool_]

LARGEST = 1e75
"""Of any number that is pooled: fourth powers of it, a million times, are still float64."""

UNITS: Mapping[str, tuple[float, float]] = {
    "mg/dL beside mmol/L of glucose": (18.016, 0.0),
    "mg/dL beside mmol/L of cholesterol": (38.67, 0.0),
    "mg/dL beside mmol/L of triglycerides": (88.57, 0.0),
    "mg/dL beside mmol/L of urea": (6.006, 0.0),
    "mg/dL beside mmol/L of urea nitrogen": (2.801, 0.0),
    "mg/dL beside mmol/L of calcium": (4.008, 0.0),
    "µmol/L beside mg/dL of creatinine": (88.42, 0.0),
    "µmol/L beside mg/dL of bilirubin": (17.10, 0.0),
    "µmol/L beside mg/dL of uric acid": (59.48, 0.0),
    "mmHg beside kPa": (7.5006, 0.0),
    "degrees Fahrenheit beside Celsius": (1.8, 32.0),
    "Kelvin beside degrees Celsius": (1.0, 273.15),
    "pounds beside kilograms": (2.2046, 0.0),
    "ounces beside pounds": (16.0, 0.0),
    "grams beside ounces": (28.35, 0.0),
    "centimetres beside inches": (2.54, 0.0),
    "inches beside feet": (12.0, 0.0),
    "feet beside metres": (3.2808, 0.0),
    "kilometres beside miles": (1.6093, 0.0),
    "acres beside hectares": (2.4711, 0.0),
    "litres beside gallons": (3.7854, 0.0),
    "kilojoules beside kilocalories": (4.184, 0.0),
    "minutes beside hours, or seconds beside minutes": (60.0, 0.0),
    "seconds beside hours": (3600.0, 0.0),
    "hours beside days": (24.0, 0.0),
    "days beside weeks": (7.0, 0.0),
    "days beside months": (30.44, 0.0),
    "days beside years": (365.25, 0.0),
    "months beside years": (12.0, 0.0),
    "a tenth": (10.0, 0.0),
    "a hundredth": (100.0, 0.0),
    "a thousandth": (1000.0, 0.0),
    "a ten-thousandth": (1e4, 0.0),
    "a millionth": (1e6, 0.0),
    "a billionth": (1e9, 0.0),
}
"""What one number is beside another of the same thing: slope and intercept, the larger from the smaller."""

GAP = 2.0  # between two groups of parties, in what the wider one spans
APART = 1.4  # medians of two groups that a change of units brings together, in what they span
MATCH = 0.15  # how near their quantiles are then
FEW = 10  # values of a column that is a code and no measurement, and the fewest cells that anything is said of
FAR = 3.5  # outside the middle half, in its widths: 5.4 standard deviations of a normal distribution
LIGHT = 0.1  # the lightest tail that is assumed of any column; 0 is an exponential one
LEVEL = 1e-3  # how many cells as far would be expected, on each side of a column
LONELY = 1000.0  # a single cell's distance from all others, in what they span
TOLD = 0.05  # a share of the value that is worth a sentence
CODES = (0.0, 9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 88.0, 888.0, 8888.0, 77.0, 777.0, 7777.0, 32767.0, 65535.0)
REPEATED = 3  # how often a code stands in a column at least


@dataclass(frozen=True)
class Finding:
    """What looks implausible in a party's data.

    Parameters
    ----------
    party : str
    column : str
        "" where it is about rows.
    kind : str
        "elsewhere", "coding", "code", "extreme" or "rows".
    count : int
        How many cells, or rows, it is about.
    sentence : str
        For people; it quotes no value.
    """

    party: str
    column: str
    kind: str
    count: int
    sentence: str


def find_implausible(
    contributions: Sequence[Contribution], *, target: str = "", fills: Mapping[str, float] | None = None
) -> list[Finding]:
    """The findings, by party and column; at most one of a kind for each.

    Parameters
    ----------
    contributions : sequence of Contribution
        With the same features in the same order; names where they have some.
    target : str
        What the outputs are called; with "" they are left alone, as class labels are.
    fills : mapping of str to float, optional
        What stands in for a gap, by column: agreed upon, so that it is no code.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> three = [Contribution(name, rng.normal(6.0, 1.0, (40, 1)), None, ("glucose",)) for name in ("A", "B", "C")]
    >>> find_implausible(three)
    []
    >>> three[2] = Contribution("C", 18.0 * three[2].X, None, ("glucose",))
    >>> [(finding.party, finding.kind) for finding in find_implausible(three)]
    [('C', 'elsewhere')]
    """
    found: list[Finding] = []
    rows = [np.zeros(len(c), dtype=bool) for c in contributions]
    for name, cells in _columns(contributions, target):
        groups, fewer, other_units = _groups(cells)
        found += [_finding(contributions[i], name, "elsewhere", units=other_units) for i in fewer]
        found += [_finding(contributions[i], name, "coding") for i in _other_codings(cells)]
        for group in groups:
            codes, extreme = _cells([cells[i] for i in group], (fills or {}).get(name))
            for i, code, far in zip(group, codes, extreme, strict=True):
                rows[i] |= code | far
                found += [_finding(contributions[i], name, "code", code)] * bool(code.any())
                found += [_finding(contributions[i], name, "extreme", far)] * bool(far.any())
    for c, own, share in zip(contributions, rows, _shares(contributions, rows), strict=True):
        found += [_finding(c, "", "rows", own, share=share)] * bool(own.any() and share > TOLD)
    return sorted(found, key=lambda finding: (finding.party, finding.column, finding.kind))


def overflow(contribution: Contribution, target: str = "y") -> str:
    """Why a contribution can't be computed with, "" where it can: a number beyond ``LARGEST``, by its column.

    Parameters
    ----------
    contribution : Contribution
    target : str
        What the outputs are called.
    """
    for name, (cells,) in _columns([contribution], target):
        if count := int((np.abs(cells) > LARGEST).sum()):
            many = _counted(count, "number", "numbers")
            return f"column {name!r}: {many} beyond {LARGEST:g}, too large to be computed with"
    noise = np.atleast_1d(np.asarray(1.0 if contribution.noise is None else contribution.noise))
    if count := int(((noise > LARGEST) | (noise < 1.0 / LARGEST)).sum()):
        return f"noise variances: {count} outside {1 / LARGEST:g} to {LARGEST:g}, too extreme to be computed with"
    return ""


def extreme_cells(cells: FloatArray) -> Mask:
    """Which cells (m,) of a column lie far outside, beyond a gap that its tail does not explain: (m,) booleans."""
    found = _tail(cells, 1.0) | _tail(cells, -1.0) | _lonely(cells)
    core = _varying(cells)
    if len(core) and core.min() > 0.0:  # a tenth or a hundredth of what it should be
        found |= _tail(np.log(np.where(cells > 0.0, cells, np.median(core))), -1.0)
    return found


def code_cells(cells: FloatArray, fill: float | None = None) -> Mask:
    """Which cells (m,) hold a code such as 9999 that stands beyond all other values again and again: (m,) booleans.

    Parameters
    ----------
    cells : (m,) array
    fill : float, optional
        What stands in for a gap by agreement.
    """
    values, counts = np.unique(cells, return_counts=True)
    found = np.zeros(len(cells), dtype=bool)
    while len(values) > 2:  # one code may stand behind another
        edge = next((e for e in (-1, 0) if _is_code(values, counts, e) and values[e] != fill), None)
        if edge is None:
            break
        found |= cells == values[edge]
        values, counts = np.delete(values, edge), np.delete(counts, edge)
    return found


def unit_between(lower: FloatArray, upper: FloatArray) -> str:
    """The change of units that lays the lower of two groups of cells over the upper one, by ``UNITS``; "" for none.

    Parameters
    ----------
    lower, upper : (k,) array, (m,) array
    """
    fewer = min(len(lower), len(upper))
    if fewer < FEW:
        return ""
    a, b = _quantiles(lower), _quantiles(upper)
    for name, (slope, intercept) in UNITS.items():
        ratio = not intercept
        if ratio and min(lower.min(), upper.min()) <= 0.0:
            continue
        scale = np.log if ratio else np.asarray
        p, q, converted = scale(a), scale(b), scale(slope * a + intercept)
        span = (p[-1] - p[0] + q[-1] - q[0]) / 2.0
        if span <= 0.0 or q[2] - p[2] < APART * span:
            continue
        between = float(scale(upper.min()) - scale(lower.max())) / span
        if not 0.0 <= between < GAP / 4.0 and np.abs(q - converted).max() < MATCH * span + span / np.sqrt(fewer):
            return name
    return ""


# Columns of all parties.


def _columns(contributions: Sequence[Contribution], target: str) -> Iterator[tuple[str, list[FloatArray]]]:
    """Each column's name and its cells, party by party; the outputs at last."""
    first = contributions[0]
    names = first.feature_names or tuple(f"column {j + 1}" for j in range(first.X.shape[1]))
    for j, name in enumerate(names):
        yield name, [c.X[:, j] for c in contributions]
    if target and all(c.y is not None for c in contributions):
        yield target, [np.asarray(c.y) for c in contributions]


def _quantiles(cells: FloatArray) -> FloatArray:
    return np.asarray(np.quantile(cells, (0.1, 0.25, 0.5, 0.75, 0.9)))


def _groups(cells: Sequence[FloatArray]) -> tuple[list[list[int]], list[int], bool]:
    """The parties in groups that lie apart, which of them are the fewer, and whether units explain it."""
    everybody = list(range(len(cells)))
    if len(cells) < 2 or len(np.unique(np.concatenate(cells))) <= FEW:
        return [everybody], [], False
    quantiles = [_quantiles(own) for own in cells]
    order = sorted(everybody, key=lambda i: float(quantiles[i][2]))
    best, split, units = 0.0, 0, False
    for k in range(1, len(order)):
        lower, upper = order[:k], order[k:]
        ratio = _gap([quantiles[i] for i in lower], [quantiles[i] for i in upper])
        sizes = [sum(len(cells[i]) for i in group) for group in (lower, upper)]
        if ratio > max(best, GAP) and max(sizes) >= FEW:
            best, split = ratio, k
    for k in range(1, len(order)):
        if (split in (0, k)) and unit_between(*(np.concatenate([cells[i] for i in g]) for g in (order[:k], order[k:]))):
            split, units = k, True
            break
    if not split:
        return [everybody], [], False
    lower, upper = order[:split], order[split:]
    fewer = lower if len(lower) < len(upper) else upper if len(upper) < len(lower) else order
    return [lower, upper], sorted(fewer), units


def _gap(lower: Sequence[FloatArray], upper: Sequence[FloatArray]) -> float:
    """Between the quantiles of two groups, in what the wider one spans: on the better of two scales; 0 for none."""
    larger = lower if len(lower) > len(upper) else upper if len(upper) > len(lower) else None
    best = 0.0
    for scale in (np.asarray, np.log):
        if scale is np.log and min(q[0] for q in (*lower, *upper)) <= 0.0:
            continue
        ends = [(scale(min(q[0] for q in g)), scale(max(q[-1] for q in g))) for g in (lower, upper)]
        spans = [float(high - low) for low, high in ends]
        if max(spans) <= 0.0 or (larger is lower and spans[0] <= 0.0) or (larger is upper and spans[1] <= 0.0):
            continue
        best = max(best, float(ends[1][0] - ends[0][1]) / max(spans))
    return best


def _other_codings(cells: Sequence[FloatArray]) -> list[int]:
    """Parties that hold two values where all others hold two others."""
    pairs = [tuple(np.unique(own).tolist()) for own in cells]
    if len(cells) < 3 or any(len(pair) != 2 for pair in pairs) or min(map(len, cells)) < FEW:
        return []
    usual = max(sorted(set(pairs)), key=pairs.count)
    odd = [i for i, pair in enumerate(pairs) if pair != usual]
    return odd if 2 * len(odd) < len(pairs) else []


def _cells(own: Sequence[FloatArray], fill: float | None) -> tuple[list[Mask], list[Mask]]:
    """Codes and extreme cells of each party of a group, judged by all of the group."""
    ends = np.cumsum([len(cells) for cells in own])[:-1]
    pooled = np.concatenate(own) if own else np.empty(0)
    codes = code_cells(pooled, fill)
    extreme = np.zeros(len(pooled), dtype=bool)
    rest = pooled if fill is None else np.where(pooled == fill, np.median(pooled), pooled)
    extreme[~codes] = extreme_cells(rest[~codes])
    far = np.split(extreme, ends)
    if extreme.sum() > max(FEW // 3, 0.01 * len(pooled)) and 2 * sum(map(np.any, far)) > len(own) > 1:
        far = [np.zeros_like(mask) for mask in far]  # many, at most parties: that is how the column is
    codes_of = np.split(codes, ends)
    if len(own) > 1:
        beyond = [_beyond_others(own, i) & ~codes_of[i] for i in range(len(own))]
        far = [mask | more for mask, more in zip(far, beyond, strict=True)]
    return codes_of, far


def _beyond_others(own: Sequence[FloatArray], i: int) -> Mask:
    """Where many of a party's cells lie beyond a gap, and none of the others' do: in the pool they hide each other."""
    others = np.concatenate([cells for j, cells in enumerate(own) if j != i])
    found = np.zeros(len(own[i]), dtype=bool)
    core = _varying(others)
    if len(core) < 2 * FEW:
        return found
    for sign in (1.0, -1.0):
        far = _far(own[i], core, sign)
        if far.sum() < FEW // 2 or _far(others, core, sign).any():
            continue
        middle = float(np.median(core))
        deviations = np.sort(sign * (np.concatenate([others, own[i]]) - middle))[::-1]
        count = int((deviations > max(float((sign * (others - middle)).max()), 0.0)).sum())
        last = _last_apart(deviations, count, count + len(core) // 4)
        near = np.concatenate([others, own[i][~far]])
        if unit_between(*((near, own[i][far]) if sign > 0.0 else (own[i][far], near))):
            found |= far
        elif last >= FEW // 2:
            found |= far & (sign * (own[i] - middle) >= deviations[last - 1])
    return found


# Cells of one column.


def _varying(cells: FloatArray) -> FloatArray:
    """The cells without the most frequent value, where that alone is a quarter of them: zeros of rare events."""
    values, counts = np.unique(cells, return_counts=True)
    common = int(counts.argmax())
    return cells[cells != values[common]] if 4 * counts[common] >= len(cells) else cells


def _far(cells: FloatArray, core: FloatArray, sign: float) -> Mask:
    """Which cells lie far outside the middle half of the core, on the scale of values and on that of logarithms."""
    low, high = np.quantile(core, (0.25, 0.75))
    near, other = (high, low) if sign > 0.0 else (low, high)
    if low == high:
        return np.zeros(len(cells), dtype=bool)
    far = sign * (cells - near) > FAR * (high - low)
    if (core > 0.0).mean() > 0.95 and low > 0.0:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(np.where(cells > 0.0, cells, 0.0))
        far &= sign * (logs - np.log(near)) > FAR * abs(np.log(near) - np.log(other))
    return np.asarray(far, dtype=bool)


def _tail(cells: FloatArray, sign: float) -> Mask:
    """The cells on one side that are far, and beyond what the tail below them makes likely."""
    core = _varying(cells)
    if len(core) < 2 * FEW or len(np.unique(core)) <= 2:
        return np.zeros(len(cells), dtype=bool)
    far = _far(cells, core, sign)
    middle = float(np.median(core))
    deviations = np.sort(sign * (core - middle))[::-1]
    last = _last_apart(deviations, int(far.sum()), int((deviations > 0.0).sum()) // 2)
    return far & (sign * (cells - middle) >= deviations[last - 1]) if last else np.zeros_like(far)


def _last_apart(deviations: FloatArray, count: int, k: int) -> int:
    """The last j <= count such that the tail from d_{j+1} to d_k makes cells as far as d_j unlikely; 0 for none.

    Parameters
    ----------
    deviations : (m,) array
        d_1 >= d_2 >= ...
    count, k : int
    """
    k = min(k, int((deviations > 0.0).sum()) - 1)
    if k < 1:
        return 0
    u = deviations[k]
    logs = np.log(deviations[:k] / u)
    for j in range(min(count, k - FEW // 2), 0, -1):
        rest = logs[j:]
        m1, m2 = float(rest.mean()), float((rest**2).mean())
        if m1 <= 0.0 or m2 <= m1 * m1 * (1.0 + 1e-9):
            continue  # all the same: no tail to go by
        negative = 1.0 - 0.5 / (1.0 - m1 * m1 / m2)
        shape = m1 + negative
        error = (1.0 + FEW / len(rest)) * np.sqrt((1.0 + shape * shape) / len(rest))
        shape = max(shape + error, LIGHT)
        scale = u * m1 * (1.0 - min(negative, 0.0))
        expected = len(rest) * float(1.0 + shape * (deviations[j - 1] - u) / scale) ** (-1.0 / shape)
        if expected < LEVEL:
            return j
    return 0


def _lonely(cells: FloatArray) -> Mask:
    """The one cell that lies LONELY times farther away than all others span, however few they are."""
    found = np.zeros(len(cells), dtype=bool)
    if len(cells) >= FEW // 2:
        order = np.argsort(cells)
        for one, rest in ((order[-1], cells[order[:-1]]), (order[0], cells[order[1:]])):
            span = max(float(np.ptp(rest)), float(np.abs(rest).max()))
            found[one] = span > 0.0 and float(np.abs(rest - cells[one]).min()) > LONELY * span
    return found


def _is_code(values: FloatArray, counts: NDArray[np.intp], edge: int) -> bool:
    """Whether the largest (-1) or smallest (0) of a column's values is one that stands for a gap."""
    value, count = float(values[edge]), int(counts[edge])
    rest, times = np.delete(values, edge), np.delete(counts, edge)
    if abs(value) not in CODES or count < REPEATED or (value == 0.0 and count > times.sum() / FEW):
        return False
    if len(rest) < 2 or times.sum() < FEW:
        return False
    low, high = np.quantile(np.repeat(rest, times), (0.25, 0.75))
    width = float(high - low) or float(rest[-1] - rest[0])
    gap = abs(value - float(rest[edge]))
    if value < 0.0 and rest[0] >= 0.0 and value <= -9.0:
        return True  # a negative number where there are none
    near = np.abs(rest - value) <= width
    spike = abs(value) >= 77.0 and count >= 2 * REPEATED and count >= 3 * int(times[near].max(initial=1))
    return gap > 1.2 * width or (spike and gap > 0.0)


# Rows.


def _shares(contributions: Sequence[Contribution], rows: Sequence[Mask]) -> FloatArray:
    """Of what a linear model learns from the pool, how much each party's marked rows hold alone: (n,) from 0 to 1.

    In standard units, with log det(I + X'X) for the pool and without those rows of that party.
    """
    X = np.concatenate([c.X for c in contributions])
    deviation = X.std(axis=0)
    X = (X - X.mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
    gram = np.eye(X.shape[1]) + X.T @ X
    ends = np.cumsum([len(c) for c in contributions])[:-1]
    whole = np.linalg.slogdet(gram)[1] or 1.0  # 0 where every column is constant, and nothing rests on anything
    marked = [own[mask] for own, mask in zip(np.split(X, ends), rows, strict=True)]
    return np.array([1.0 - np.linalg.slogdet(gram - own.T @ own)[1] / whole for own in marked])


# Sentences: party and column, never a value.


def _finding(
    c: Contribution, column: str, kind: str, cells: Mask | None = None, *, units: bool = False, share: float = 0.0
) -> Finding:
    count = len(c) if cells is None else int(cells.sum())
    what = {
        "elsewhere": "its values lie nowhere near those of the other parties"
        + (", as if they were in another unit" if units else ""),
        "coding": "it holds two values where most parties hold two others, as if it were coded in another way",
        "code": f"{_counted(count, 'cell holds', 'cells hold')} what looks like a code for a missing value",
        "extreme": f"{_counted(count, 'cell lies', 'cells lie')} far outside all others, as typing errors do",
        "rows": f"{share:.0%} of what a linear model learns from the pool rests on "
        + _counted(count, "of its rows, with such a cell", "of its rows, with such cells"),
    }[kind]
    return Finding(c.party, column, kind, count, f"column {column!r}: {what}" if column else what)


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
