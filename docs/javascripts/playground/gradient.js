"use strict";
// The inner step: walks, then one step down the gradient of -E[log pi(a|s) A] (Finn et al. 2017, eq. 4).

Playground.gradient = (() => {
  const { policyOf, addGradient } = Playground.network;

  /** Returns the loss's gradient by all parameters, a flat vector; its mean is over all walks' steps. */
  function gradient(policy, walks, advantages, layout) {
    const result = policyOf(new Float64Array(policy.theta.length), layout);
    const steps = advantages.reduce((count, x) => count + x.length, 0);
    walks.forEach(({ activations, actions }, k) => {
      actions.forEach((action, t) => {
        const weight = -advantages[k][t] / steps;
        const values = activations[t];
        const slope = values.at(-1).map((mean, i) => {
          const inverse = Math.exp(-policy.logStd[i]);
          const z = (action[i] - mean) * inverse;
          result.logStd[i] += weight * (z * z - 1);
          return weight * z * inverse;
        });
        addGradient(policy, result, values, slope);
      });
    });
    return result.theta;
  }

  /** Yields each round of an adaptation: the policy, its walks and their returns, before each step and after.
   *
   * start: the parameters to adapt; noiseOf(round): the noise of each walk; stepSize: what each step's factor
   * in settings.schedule is multiplied with. A round is computed when it is asked for.
   */
  function* rounds(start, goal, noiseOf, stepSize, data) {
    const { layout, settings } = data;
    let policy = policyOf(Float64Array.from(start), layout);
    for (let round = 0; ; round++) {
      const walks = Playground.rollout.walks(policy, goal, noiseOf(round), settings);
      yield { policy, walks, returns: walks.map(({ rewards }) => rewards.reduce((sum, x) => sum + x, 0)) };
      if (round === settings.schedule.length) return;
      const slopes = gradient(policy, walks, Playground.baseline.advantages(walks, settings), layout);
      const size = stepSize * settings.schedule[round];
      policy = policyOf(policy.theta.map((value, i) => value - size * slopes[i]), layout);
    }
  }

  return { rounds };
})();
