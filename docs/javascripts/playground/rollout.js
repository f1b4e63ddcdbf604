"use strict";
// Walks of a policy in the plane: from the origin, until the goal is met or time is up.

Playground.rollout = (() => {
  /** Returns a generator of numbers in [0, 1): mulberry32, which a 32-bit seed determines. */
  function uniforms(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let x = Math.imul(state ^ (state >>> 15), state | 1);
      x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
      return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** Returns the noise of one walk, `horizon` pairs of standard normals: the same for the same numbers. */
  function normals(seed, round, walk, horizon) {
    const next = uniforms(seed * 1e6 + round * 1e3 + walk);
    const noise = new Float32Array(2 * horizon);
    for (let i = 0; i < noise.length; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(1 - next())); // Box and Muller 1958.
      const angle = 2 * Math.PI * next();
      noise[i] = radius * Math.cos(angle);
      noise[i + 1] = radius * Math.sin(angle);
    }
    return noise;
  }

  const clipped = (move, most) => Math.min(Math.max(move, -most), most);

  /** Returns one walk: positions before each step and after the last; what the network's layers gave, actions
   * and rewards of each step; whether it met the goal.
   *
   * goal: [2]; noise: of `normals`. Numbers are rounded to float32 where maml_rl rounds them.
   */
  function walk(policy, goal, noise, { scale, maxMove, goalRadius }) {
    const deviations = Array.from(policy.logStd, Math.exp);
    const positions = [new Float32Array(2)];
    const activations = [];
    const actions = [];
    const rewards = [];
    const met = (at) => Math.abs(at[0] - goal[0]) < goalRadius && Math.abs(at[1] - goal[1]) < goalRadius;
    let reached = false;
    for (let t = 0; t < noise.length / 2 && !reached; t++) {
      const here = positions[t];
      const values = Playground.network.activations(policy, here);
      const action = values.at(-1).map((mean, i) => Math.fround(mean + deviations[i] * noise[2 * t + i]));
      const there = here.map((x, i) => x + clipped((action[i] * maxMove) / scale, maxMove));
      activations.push(values);
      actions.push(action);
      positions.push(there);
      rewards.push(Math.fround(-Math.hypot(there[0] - goal[0], there[1] - goal[1])));
      reached = met(there);
    }
    return { positions, activations, actions, rewards, reached };
  }

  /** Returns one walk for each noise. */
  function walks(policy, goal, noises, settings) {
    return noises.map((noise) => walk(policy, goal, noise, settings));
  }

  return { normals, walks };
})();
