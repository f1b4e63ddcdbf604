"use strict";
// The policy's network: layers of a perceptron, views into one flat vector of parameters.
// Plain scripts, not modules: browsers refuse modules of pages that are opened from disk.

const Playground = {};

Playground.network = (() => {
  /** Returns the policy whose parameters are `theta`, as `layout` orders them: [[name, shape], …]. */
  function policyOf(theta, layout) {
    const policy = { theta, layers: [], logStd: null };
    let offset = 0;
    for (const [name, shape] of layout) {
      const size = shape.reduce((product, length) => product * length, 1);
      const part = theta.subarray(offset, offset + size);
      offset += size;
      if (name.endsWith(".weight")) {
        policy.layers.push({ weight: part, outputs: shape[0], inputs: shape[1] });
      } else if (name.endsWith(".bias")) {
        policy.layers.at(-1).bias = part;
      } else {
        policy.logStd = part;
      }
    }
    return policy;
  }

  /** Returns what goes into each layer at an observation, and the mean action last. */
  function activations(policy, observation) {
    const values = [observation];
    policy.layers.forEach(({ weight, bias, inputs, outputs }, index) => {
      const x = values[index];
      const y = new Float64Array(outputs);
      for (let i = 0; i < outputs; i++) {
        let sum = bias[i];
        for (let j = 0, at = i * inputs; j < inputs; j++, at++) sum += weight[at] * x[j];
        y[i] = index < policy.layers.length - 1 && sum < 0 ? 0 : sum; // ReLU; the last layer is linear.
      }
      values.push(y);
    });
    return values;
  }

  /** Adds the gradient of one step to `gradient`, a policy of the same layout.
   *
   * values: of `activations`; cotangent: the loss's derivative by the mean action.
   */
  function addGradient(policy, gradient, values, cotangent) {
    let outer = cotangent;
    for (let index = policy.layers.length - 1; index >= 0; index--) {
      const { weight, inputs, outputs } = policy.layers[index];
      const { weight: weightSlope, bias: biasSlope } = gradient.layers[index];
      const x = values[index];
      const inner = new Float64Array(inputs);
      for (let i = 0; i < outputs; i++) {
        const slope = outer[i];
        if (slope === 0) continue; // The ReLU let nothing through.
        biasSlope[i] += slope;
        for (let j = 0, at = i * inputs; j < inputs; j++, at++) {
          weightSlope[at] += slope * x[j];
          inner[j] += slope * weight[at];
        }
      }
      outer = index > 0 ? inner.map((value, j) => (x[j] > 0 ? value : 0)) : inner;
    }
  }

  return { policyOf, activations, addGradient };
})();
