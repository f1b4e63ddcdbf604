"use strict";
// The returns after each gradient step: a line for each start, and the numbers in a table.

Playground.chart = (() => {
  const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [340, 200, 38, 24, 10];
  const { svg } = Playground.plane;

  /** Returns the mean of returns, and its standard error. */
  function summary(returns) {
    const mean = returns.reduce((sum, x) => sum + x, 0) / returns.length;
    const squares = returns.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    const variance = returns.length > 1 ? squares / (returns.length - 1) : 0;
    return { mean, error: Math.sqrt(variance / returns.length) };
  }

  /** Returns a number with one decimal and a proper minus. */
  function text(number) {
    return number.toFixed(1).replace("-", "−");
  }

  /** Makes the chart inside `element`; the function returned draws curves, {name: [{mean, error}, …]}. */
  function makeChart(element, steps) {
    const picture = svg(element, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": true });
    const x = (step) => LEFT + 14 + ((WIDTH - LEFT - 28) * step) / steps;

    return (curves) => {
      picture.replaceChildren();
      const ends = Object.values(curves).flat().map(({ mean, error }) => mean - error);
      const lowest = Math.min(-50, ...ends);
      const tick = [10, 20, 50, 100, 200].find((length) => -lowest / length <= 6) ?? 500;
      const floor = Math.floor(lowest / tick) * tick;
      const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * value) / floor;
      for (let value = 0; value >= floor; value -= tick) {
        svg(picture, "line", { class: "pg-grid", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) });
        const label = svg(picture, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" });
        label.textContent = text(value).replace(".0", "");
      }
      for (let step = 0; step <= steps; step++) {
        const label = svg(picture, "text", { x: x(step), y: HEIGHT - 6, "text-anchor": "middle" });
        label.textContent = step;
      }
      for (const [name, curve] of Object.entries(curves)) {
        const group = svg(picture, "g", { class: `pg-curve pg-${name}` });
        svg(group, "polyline", { points: curve.map(({ mean }, i) => `${x(i)},${y(mean)}`).join(" ") });
        curve.forEach(({ mean, error }, i) => {
          svg(group, "line", { x1: x(i), x2: x(i), y1: y(mean - error), y2: y(mean + error) });
          svg(group, "circle", { cx: x(i), cy: y(mean), r: 3.5 });
        });
      }
    };
  }

  return { makeChart, summary, text };
})();
