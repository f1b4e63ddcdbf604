"use strict";
// Advantages: how much better a step turned out than a baseline fitted to the walks expected.

Playground.baseline = (() => {
  /** Returns position, its square, t/100, its square and cube, and 1 (Duan et al. 2016). */
  function features([x, y], t) {
    const time = t / 100;
    return [x, y, x * x, y * y, time, time ** 2, time ** 3, 1];
  }

  /** Returns y_t = x_t + discount y_{t+1}. */
  function discountedSums(x, discount) {
    const sums = new Float64Array(x.length);
    for (let t = x.length - 1, next = 0; t >= 0; t--) sums[t] = next = x[t] + discount * next;
    return sums;
  }

  /** Returns the solution of a small linear system, by elimination with the largest pivot of each column. */
  function solve(matrix, vector) {
    const rows = matrix.map((row, i) => [...row, vector[i]]);
    const size = rows.length;
    for (let i = 0; i < size; i++) {
      let pivot = i;
      for (let r = i + 1; r < size; r++) if (Math.abs(rows[r][i]) > Math.abs(rows[pivot][i])) pivot = r;
      [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
      for (let r = 0; r < size; r++) {
        const factor = rows[r][i] / rows[i][i];
        if (r !== i) for (let c = i; c <= size; c++) rows[r][c] -= factor * rows[i][c];
      }
    }
    return rows.map((row, i) => row[size] / row[i]);
  }

  /** Returns the weights of a ridge regression of the discounted returns on the features. */
  function fit(walks, { gamma, ridge }) {
    const size = features([0, 0], 0).length;
    const moments = new Array(size).fill(0);
    const gram = moments.map((_, i) => moments.map((_, j) => (i === j ? ridge : 0)));
    for (const { positions, rewards } of walks) {
      discountedSums(rewards, gamma).forEach((target, t) => {
        const row = features(positions[t], t);
        row.forEach((a, i) => {
          moments[i] += a * target;
          row.forEach((b, j) => (gram[i][j] += a * b));
        });
      });
    }
    return solve(gram, moments);
  }

  /** Returns the advantages of each walk's steps: GAE(gamma, lambda) over the fitted baseline
   * (Schulman et al. 2016, eq. 16), shifted and scaled to mean 0 and deviation 1 over all steps.
   */
  function advantages(walks, settings) {
    const weights = fit(walks, settings);
    const valueOf = (position, t) => features(position, t).reduce((sum, x, i) => sum + x * weights[i], 0);
    const found = walks.map(({ positions, rewards }) => {
      const values = rewards.map((_, t) => valueOf(positions[t], t));
      values.push(0); // Nothing follows the last step, also where time cut the walk.
      const deltas = rewards.map((reward, t) => reward + settings.gamma * values[t + 1] - values[t]);
      return discountedSums(deltas, settings.gamma * settings.lambda);
    });
    const steps = found.reduce((count, x) => count + x.length, 0);
    const total = (f) => found.reduce((sum, x) => x.reduce((part, value) => part + f(value), sum), 0);
    const mean = total((x) => x) / steps;
    const deviation = Math.sqrt(total((x) => (x - mean) ** 2) / steps) + 1e-8;
    return found.map((x) => x.map((value) => (value - mean) / deviation));
  }

  return { advantages };
})();
