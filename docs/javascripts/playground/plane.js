"use strict";
// The picture of one start: field of mean actions, walks, and the goal, which is moved by pointer or keys.

Playground.plane = (() => {
  const SIDE = 0.7; // Half the picture's side; goals of training lie within ±0.5.
  const FARTHEST = 0.6; // Of the goal from the middle.
  const GRID = [-0.6, -0.48, -0.36, -0.24, -0.12, 0, 0.12, 0.24, 0.36, 0.48, 0.6];
  const BENDING = 700; // Milliseconds in which one field becomes the next.
  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  /** Returns a new element of SVG inside `parent`. */
  function svg(parent, name, attributes = {}) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  }

  /** Returns the mean move at each point of the grid. */
  function fieldOf(policy, { scale, maxMove }) {
    const clipped = (move) => Math.min(Math.max((move * maxMove) / scale, -maxMove), maxMove);
    const points = GRID.flatMap((y) => GRID.map((x) => [x, y]));
    return points.map((at) => {
      const mean = Playground.network.activations(policy, at).at(-1);
      return { at, move: mean.map(clipped) };
    });
  }

  /** Returns the outline of slender triangles that point along the moves. */
  function triangles(field) {
    return field.map(({ at: [x, y], move: [dx, dy] }) => {
      const length = Math.hypot(dx, dy) || 1;
      const [sideX, sideY] = [(-dy / length) * 0.009, (dx / length) * 0.009];
      const corners = [[x + sideX, y + sideY], [x + dx, y + dy], [x - sideX, y - sideY]];
      return `M${corners.map((corner) => corner.map((value) => value.toFixed(4)).join(" ")).join("L")}Z`;
    }).join("");
  }

  /** Returns the field a part of the way from one to another. */
  function between(from, to, part) {
    return to.map(({ at, move }, i) => {
      const old = from[i].move;
      return { at, move: move.map((x, d) => old[d] + part * (x - old[d])) };
    });
  }

  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");

  /** Makes the picture inside `element`, which holds the goal's handle.
   *
   * moved([x, y]) is called with every goal that is asked for.
   */
  function makePlane(element, moved) {
    const viewBox = `${-SIDE} ${-SIDE} ${2 * SIDE} ${2 * SIDE}`;
    const picture = svg(element, "svg", { viewBox, "aria-hidden": true });
    const upright = svg(picture, "g", { transform: "scale(1 -1)" });
    svg(upright, "rect", { class: "pg-square", x: -0.5, y: -0.5, width: 1, height: 1 });
    const arrows = svg(upright, "path", { class: "pg-field" });
    const earlier = svg(upright, "g", { class: "pg-walks pg-earlier" });
    const walks = svg(upright, "g", { class: "pg-walks" });
    svg(upright, "circle", { class: "pg-origin", r: 0.014 });
    const handle = element.querySelector(".pg-goal");
    let goal = [0, 0];
    let frame = 0;

    function ask(at) {
      moved(at.map((x) => Math.round(Math.min(Math.max(x, -FARTHEST), FARTHEST) * 100) / 100));
    }

    function askFor(event) {
      const box = element.getBoundingClientRect();
      const across = (event.clientX - box.left) / box.width - 0.5;
      const up = 0.5 - (event.clientY - box.top) / box.height;
      ask([across * 2 * SIDE, up * 2 * SIDE]);
    }

    picture.addEventListener("click", askFor);
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) askFor(event);
    });
    handle.addEventListener("keydown", (event) => {
      const way = KEYS[event.key];
      if (!way) return;
      event.preventDefault();
      ask(goal.map((x, i) => x + way[i] * (event.shiftKey ? 0.01 : 0.05)));
    });

    function bend(from, to) {
      const begin = performance.now();
      cancelAnimationFrame(frame);
      const draw = (now) => {
        const part = Math.min(Math.max((now - begin) / BENDING, 0), 1);
        arrows.setAttribute("d", triangles(between(from, to, part * part * (3 - 2 * part))));
        if (part < 1) frame = requestAnimationFrame(draw);
      };
      draw(begin);
    }

    function drawWalks(group, round) {
      group.replaceChildren();
      for (const { positions } of round ? round.walks : []) {
        const line = positions.map(([x, y]) => `${x.toFixed(3)} ${y.toFixed(3)}`).join("L");
        svg(group, "path", { d: `M${line}`, pathLength: 1 });
        const [x, y] = positions.at(-1);
        svg(group, "circle", { cx: x, cy: y, r: 0.009 });
      }
    }

    return {
      /** Moves the goal's handle. */
      setGoal(at) {
        goal = at;
        handle.style.left = `${(at[0] / SIDE + 1) * 50}%`;
        handle.style.top = `${(1 - at[1] / SIDE) * 50}%`;
        handle.setAttribute("aria-valuetext", at.map((x) => x.toFixed(2)).join(", "));
        handle.setAttribute("aria-valuenow", at[0]);
      },

      /** Shows a round over the one before it; in motion if the one has just become the other. */
      show(round, before, settings, moving) {
        const grows = moving && !stillness.matches;
        const field = fieldOf(round.policy, settings);
        walks.classList.toggle("pg-growing", grows);
        drawWalks(earlier, before);
        drawWalks(walks, round);
        bend(grows && before ? fieldOf(before.policy, settings) : field, field);
      },
    };
  }

  return { makePlane, svg };
})();
