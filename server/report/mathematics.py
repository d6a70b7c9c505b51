"""guerdon's rewards and their certificate once more, in the page's JavaScript: exact in float64, from the same table.

| in the page | in guerdon |
|---|---|
| ``shapley`` | ``shapley.exact_shapley`` |
| ``relative``, ``weaker``, ``thresholds``, ``rhoShapley`` | ``rewards.rho_shapley`` |
| ``rectified``, ``feasible`` | ``rewards.rectified`` |
| ``certify`` | ``rewards.certificate`` |
| ``proportionality`` | ``metrics.proportionality`` |

Tests in a browser hold the two against each other to 1e-9, ties and degenerate games among them.
"""

from __future__ import annotations

__all__ = ["MATHEMATICS"]

MATHEMATICS = r"""
const Guerdon = (() => {
  const TIE = 1e-12, NOTHING = 1e-9, TOLERANCE = 1e-9, SLACK = 1e-12;
  const range = n => Array.from({length: n}, (_, i) => i);
  const sum = xs => { // compensated (Neumaier), so that a tie is not lost to the order of the terms
    let total = 0, lost = 0;
    for (const x of xs) {
      const next = total + x;
      lost += Math.abs(total) >= Math.abs(x) ? (total - next) + x : (x - next) + total;
      total = next;
    }
    return total + lost;
  };
  const bits = mask => { let count = 0; for (; mask; mask &= mask - 1) count++; return count; };
  const argmin = xs => xs.reduce((best, x, i) => x < xs[best] ? i : best, 0);
  const argmax = xs => xs.reduce((best, x, i) => x > xs[best] ? i : best, 0);
  const top = xs => xs.reduce((a, b) => Math.max(a, b), -Infinity);
  const spread = xs => top(xs) - xs.reduce((a, b) => Math.min(a, b), Infinity);
  const size = xs => top(xs.map(Math.abs));

  // phi_i = sum over C without i of |C|! (n - |C| - 1)! / n! (v(C + i) - v(C)); bit i of the table's index = party i.
  function shapley(table, n) {
    const weight = [];
    for (let s = 0, choose = 1; s < n; choose = choose * (n - 1 - s) / (s + 1), s++) weight.push(1 / (n * choose));
    return range(n).map(i => {
      const bit = 2 ** i, terms = new Float64Array(table.length / 2);
      for (let mask = 0, k = 0; mask < table.length; mask++)
        if (!(mask & bit)) terms[k++] = weight[bits(mask)] * (table[mask | bit] - table[mask]);
      return sum(terms);
    });
  }

  // alpha_i = phi_i / phi*, with ties at 0 and at 1 made exact.
  function relative(phi, negative, names) {
    const most = top(phi);
    if (!(most > 0)) throw Error("no party has a positive Shapley value: the pooled data is worth nothing");
    const alpha = phi.map(x => {
      const share = x / most;
      return Math.abs(share) <= TIE ? 0 : share >= 1 - TIE ? 1 : share;
    });
    const worst = argmin(alpha);
    if (alpha[worst] < 0 && !negative)
      throw Error(`${names[worst]} has a negative Shapley value, so ρ-Shapley rewards are not defined`);
    return alpha;
  }

  // C_i = {j : phi_j <= phi_i}, ties in.
  const weaker = phi => {
    const tie = TIE * size(phi);
    return phi.map(own => phi.map(other => other <= own + tie));
  };

  // The largest rho with alpha_i^rho >= share_i for every i; infinite where nothing binds.
  function largest(alpha, share) {
    let rho = Infinity;
    alpha.forEach((a, i) => {
      if (a < 1 && share[i] > (a === 0 ? NOTHING : 0))
        rho = Math.min(rho, Math.log(Math.min(share[i], 1)) / Math.log(a));
    });
    return rho + 0;
  }

  const thresholds = (alpha, game) => ({
    rational: largest(alpha, game.alone.map(v => v / game.pool)),
    stable: largest(alpha, game.floors.map(v => v / game.pool)),
  });

  // r_i = (phi_i / phi*)^rho v_N.
  function rhoShapley(alpha, pool, rho) {
    const exponent = alpha.map(a => rho > 0 && a !== 1 ? rho * Math.log(a) : 0);
    return {
      rho, maximum: pool, ceilings: alpha.map(() => pool),
      values: exponent.map(e => pool * Math.exp(e)),
      deficits: exponent.map(e => -pool * Math.expm1(e) + 0),
    };
  }

  // The largest rho in [0, 1] with floor_i <= v* alpha_i^rho <= ceiling_i for some v*; -Infinity where there is none.
  function feasible(alpha, floors, ceilings) {
    const parties = range(alpha.length).filter(i => alpha[i] > 0);
    const upper = parties.filter(j => ceilings[j] > 0), lower = parties.filter(i => floors[i] > 0);
    if (!upper.length || !lower.length) return 1;
    const pairs = lower.flatMap(i => upper.map(j => [
      Math.log(alpha[j]) - Math.log(alpha[i]), Math.log(ceilings[j]) - Math.log(floors[i])]));
    const highest = pairs.reduce((least, [slope, room]) => slope > SLACK ? Math.min(least, room / slope) : least, Infinity);
    const rho = Math.min(1, Math.max(0, highest));
    return pairs.every(([slope, room]) => slope * rho - room <= SLACK) ? rho : -Infinity;
  }

  // r_i = max(v_i, alpha_i^rho v*), v* = min_i ceiling_i / alpha_i^rho over alpha_i > 0.
  function rectified(alpha, alone, ceilings, rho) {
    const flat = alpha.findIndex((a, i) => a > 0 && ceilings[i] <= 0);
    if (flat >= 0) throw Error("a party's data with all synthetic rows is worth nothing, so there is no positive reward");
    const exponent = alpha.map(a => a > 0 ? rho * Math.log(a) : -Infinity);
    let maximum = Infinity;
    alpha.forEach((a, i) => { if (a > 0) maximum = Math.min(maximum, ceilings[i] / Math.exp(exponent[i])); });
    const values = exponent.map(e => maximum * Math.exp(e));
    const own = values.map((r, i) => alone[i] > r || alpha[i] <= 0);
    return {
      rho, maximum, ceilings,
      values: values.map((r, i) => own[i] ? alone[i] : r),
      deficits: exponent.map((e, i) => own[i] ? maximum - alone[i] : -maximum * Math.expm1(e) + 0),
    };
  }

  // Jain's index of reward per Shapley value, over the parties with some: 1 where rewards are proportional.
  function proportionality(rewards, phi) {
    const least = TIE * size(phi);
    const ratios = rewards.flatMap((r, i) => phi[i] > least ? [r / phi[i]] : []);
    const total = sum(ratios), squares = sum(ratios.map(x => x * x));
    return squares > 0 ? total * total / (ratios.length * squares) : NaN;
  }

  // What doesn't depend on rho: who is useless, interchangeable or ordered, and the best coalition that each one leads.
  function structure(game) {
    const {table, n, pool} = game, tolerance = TOLERANCE * Math.abs(pool);
    if (!table) return {useless: null, equal: null, ordered: null, led: null};
    const useless = [], equal = [], ordered = [], led = [];
    for (let i = 0; i < n; i++) {
      const bit = 2 ** i;
      let adds = false;
      for (let mask = 0; mask < table.length && !adds; mask++)
        adds = !(mask & bit) && Math.abs(table[mask | bit] - table[mask]) > tolerance;
      if (!adds) useless.push(i);
      for (let j = i + 1; j < n; j++) {
        const both = bit | 2 ** j;
        let high = -Infinity, low = Infinity, highAt = 0, lowAt = 0;
        for (let mask = 0; mask < table.length; mask++) {
          if (mask & both) continue;
          const gap = table[mask | bit] - table[mask | 2 ** j];
          if (gap > high) [high, highAt] = [gap, mask];
          if (gap < low) [low, lowAt] = [gap, mask];
        }
        if (high <= tolerance && low >= -tolerance) equal.push([i, j]);
        if (low >= -tolerance && high > tolerance) ordered.push([i, j, highAt, high]);
        if (high <= tolerance && low < -tolerance) ordered.push([j, i, lowAt, -low]);
      }
    }
    weaker(game.phi).forEach((row, i) => {
      const inside = row.reduce((mask, member, j) => member ? mask | 2 ** j : mask, 0);
      let best = 2 ** i;
      for (let mask = 0; mask < table.length; mask++)
        if (mask & 2 ** i && !(mask & ~inside) && table[mask] > table[best]) best = mask;
      led.push(best);
    });
    return {useless, equal, ordered, led};
  }

  function certify(game, targets, text) {
    const {n, names, phi, alone, floors, table, pool} = game, {values, deficits, ceilings, maximum, rho} = targets;
    const tolerance = TOLERANCE * Math.abs(pool), {useless, equal, ordered, led} = game.structure;
    const apart = (a, b) => { // two numbers as everywhere, or in as many digits as it takes to tell them apart
      let texts = [text(a), text(b)];
      for (let digits = 5; texts[0] === texts[1] && a !== b && digits < 18; digits++)
        texts = [a, b].map(x => String(Number(x.toPrecision(digits))));
      return texts;
    };
    const coalition = mask => `{${range(n).filter(i => mask & 2 ** i).map(i => names[i]).join(", ")}}`;
    const every = (name, margins, bad) => {
      const worst = argmin(margins), holds = margins[worst] >= -tolerance;
      return {name, holds, witness: holds
        ? `smallest margin ${text(Math.max(margins[worst], 0))}, ${names[worst]}` : bad(worst)};
    };
    const untold = name => ({name, holds: null, witness: `not checked: it needs all coalitions of ${n} parties`});
    const best = argmax(values), reaches = Math.abs(values[best] - maximum) <= tolerance;
    const checks = [
      every("R1", values, i => `${names[i]} gets ${text(values[i])}`),
      every("R2", values.map((r, i) => ceilings[i] - r),
        i => `${names[i]}: ${text(values[i])} is above its ceiling ${text(ceilings[i])}`),
      {name: "R3", holds: reaches,
        witness: `${names[best]} ${reaches ? "reaches" : "misses"} the largest possible ${text(maximum)}`},
      every("R4", values.map((r, i) => r - alone[i]),
        i => `${names[i]} would get ${text(values[i])}, less than its own data's ${text(alone[i])}`),
    ];
    let F1 = untold("F1"), F2 = untold("F2"), F3 = untold("F3");
    if (table) {
      const given = useless.find(i => Math.abs(values[i]) > tolerance);
      F1 = {name: "F1", holds: given === undefined, witness: given !== undefined
        ? `${names[given]} adds nothing but gets ${text(values[given])}`
        : useless.length ? `given nothing: ${useless.map(i => names[i]).join(", ")}` : "no party is useless"};
      const apart = equal.find(([i, j]) => Math.abs(values[i] - values[j]) > tolerance);
      F2 = {name: "F2", holds: apart === undefined, witness: apart
        ? `${names[apart[0]]} and ${names[apart[1]]} are interchangeable but get different rewards`
        : equal.length ? `${equal.length} interchangeable pairs get the same` : "no two are interchangeable"};
      const wrong = ordered.find(([i, j]) => !(values[i] > values[j] || deficits[i] < deficits[j]));
      F3 = {name: "F3", holds: wrong === undefined, witness: wrong
        ? `${names[wrong[0]]} adds ${text(wrong[3])} more than ${names[wrong[1]]} to ${coalition(wrong[2])} but does not get more`
        : ordered.length ? `${ordered.length} ordered pairs are rewarded in order` : "no two are ordered"};
    }
    const differs = spread(phi) > TIE * size(phi), parts = [F1, F2, F3], failed = parts.find(p => p.holds === false);
    let R5 = {name: "R5", holds: true, witness: "F1, F2 and F3 hold"};
    if (rho === 0 && differs) R5 = {...R5, holds: false, witness: "ρ = 0: what parties contribute does not count (F4)"};
    else if (failed) R5 = {...R5, holds: false, witness: `${failed.name} fails: ${failed.witness}`};
    else if (parts.some(p => p.holds === null)) R5 = {...R5, holds: null, witness: F1.witness};
    let R6;
    if (table) {
      const margins = led.map((mask, i) => values[i] - table[mask]), worst = argmin(margins);
      R6 = {name: "R6", holds: margins[worst] >= -tolerance, witness: margins[worst] >= -tolerance
        ? `smallest margin ${text(Math.max(margins[worst], 0))}, ${names[worst]} in ${coalition(led[worst])}`
        : `${coalition(led[worst])} is worth ${apart(table[led[worst]], values[worst])[0]} by itself, more than the ${apart(table[led[worst]], values[worst])[1]} of ${names[worst]}`};
    } else {
      R6 = every("R6", values.map((r, i) => r - floors[i]),
        i => `${names[i]} with those that contributed less is worth ${apart(floors[i], values[i])[0]} by itself, more than ${apart(floors[i], values[i])[1]}`);
    }
    let definition3 = untold("stability");
    if (table) {
      const reach = new Float64Array(table.length).fill(-Infinity);
      let worst = 1;
      for (let mask = 1; mask < table.length; mask++) {
        const low = mask & -mask, i = 31 - Math.clz32(low);
        reach[mask] = Math.max(values[i], reach[mask ^ low]);
        if (reach[mask] - table[mask] < reach[worst] - table[worst]) worst = mask;
      }
      const margin = reach[worst] - table[worst], holds = margin >= -tolerance;
      definition3 = {name: "stability", holds, witness: holds
        ? `smallest margin ${text(Math.max(margin, 0))}, ${coalition(worst)}`
        : `all of ${coalition(worst)} gain by leaving: ${apart(table[worst], reach[worst])[0]} against at most ${apart(table[worst], reach[worst])[1]}`};
    }
    const welfare = sum(values), possible = sum(ceilings);
    const R7 = {name: "R7", holds: possible - welfare <= tolerance * n,
      witness: apart(welfare, possible).join(" of at most ")};
    return [...checks, R5, F1, F2, F3, R6, R7, definition3];
  }

  // The game as the page works with it; `data` is what the report carries.
  function load(data) {
    let table = null;
    if (data.table !== null) {
      const bytes = Uint8Array.from(atob(data.table), c => c.charCodeAt(0)), view = new DataView(bytes.buffer);
      table = Float64Array.from({length: bytes.length / 8}, (_, k) => view.getFloat64(8 * k, true));
    }
    const n = data.names.length;
    const phi = table && data.exact ? shapley(table, n) : data.phi;
    const alone = table ? range(n).map(i => table[2 ** i]) : data.alone;
    const floors = table
      ? weaker(phi).map(row => table[row.reduce((mask, member, j) => member ? mask | 2 ** j : mask, 0)]) : data.floors;
    const pool = table ? table[table.length - 1] : data.pool;
    const game = {...data, table, n, phi, alone, floors, pool};
    if (!(pool > 0)) throw Error("the pooled data is worth nothing: there is nothing to reward");
    const rectifies = data.rectified, alpha = relative(phi, rectifies, data.names);
    game.alpha = alpha;
    game.structure = structure(game);
    game.thresholds = rectifies ? {
      rational: feasible(alpha, alone, data.ceilings), stable: feasible(alpha, floors, data.ceilings),
    } : thresholds(alpha, game);
    game.rewards = rho => rectifies ? rectified(alpha, alone, data.ceilings, rho) : {...rhoShapley(alpha, pool, rho), ceilings: data.ceilings};
    game.rewards(1); // says now what can't be rewarded at all
    return game;
  }

  return {load, certify, proportionality, shapley, relative, weaker, thresholds, rhoShapley, rectified, feasible, sum};
})();
"""
