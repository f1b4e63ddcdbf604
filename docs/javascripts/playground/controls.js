"use strict";
// The page: what is chosen, the rounds that follow from it, and where they are shown.

Playground.controls = (() => {
  const { data, chart, plane, gradient, rollout } = Playground;
  const root = document.querySelector(".playground");
  const find = (selector) => root.querySelector(selector);
  const steps = data.settings.schedule.length;
  const state = { goal: [0.3, 0.35], step: 0 };
  let version = 0;
  let running = false;

  /** Returns the parameters of a start. */
  function decoded(base64) {
    return new Float32Array(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
  }

  const starts = [...root.querySelectorAll("[data-start]")].map((element) => ({
    name: element.dataset.start,
    theta: decoded(data.starts[element.dataset.start]),
    plane: plane.makePlane(element.querySelector(".pg-plane"), (goal) => choose({ goal })),
    told: element.querySelector(".pg-told"),
    cells: root.querySelectorAll(`.pg-returns .pg-${element.dataset.start} td`),
    rounds: [],
    coming: null,
  }));
  const drawCurves = chart.makeChart(find(".pg-chart"), steps);

  /** Begins the start's adaptation anew, to what is chosen now. */
  function begin(start) {
    const { goal, stepSize, episodes, seed } = state;
    const walks = Array.from({ length: episodes }, (_, walk) => walk);
    const noiseOf = (round) => walks.map((walk) => rollout.normals(seed, round, walk, data.settings.horizon));
    start.rounds = [];
    start.coming = gradient.rounds(start.theta, goal, noiseOf, stepSize, data);
  }

  /** Shows the start's newest round, and all returns up to it. */
  function show(start) {
    const { rounds, told, cells } = start;
    const shown = rounds.slice(0, state.step + 1);
    const round = shown.at(-1);
    start.plane.show(round, shown.at(-2), data.settings, state.moving);
    told.textContent = told.dataset.text
      .replace("RETURN", chart.text(chart.summary(round.returns).mean))
      .replace("REACHED", round.walks.filter(({ reached }) => reached).length)
      .replace("ALL", round.walks.length);
    start.curve = shown.map(({ returns }) => chart.summary(returns));
    cells.forEach((cell, i) => {
      const found = start.curve[i];
      cell.textContent = found ? `${chart.text(found.mean)} ± ${chart.text(found.error)}` : "";
    });
    const known = starts.filter(({ curve }) => curve);
    drawCurves(Object.fromEntries(known.map(({ name, curve }) => [name, curve])));
  }

  const pause = () => new Promise((resolve) => setTimeout(resolve));

  /** Computes and shows what is missing, the first start first; gives up for newer choices in between. */
  async function compute(of) {
    for (const start of starts) {
      while (start.rounds.length <= state.step) {
        start.rounds.push(start.coming.next().value);
        await pause();
      }
      show(start);
      if (of !== version) return;
    }
  }

  /** Takes a choice, and follows it up. */
  async function choose(choice, moving = false) {
    Object.assign(state, choice, { moving });
    version += 1;
    starts.forEach((start) => start.plane.setGoal(state.goal));
    find(".pg-count").textContent = find(".pg-count").dataset.text.replace("STEPS", state.step);
    find("[data-way='1']").disabled = state.step === steps;
    find("[data-way='-1']").disabled = state.step === 0;
    root.dataset.settled = false;
    if (!("step" in choice)) state.changed = true;
    if (running) return;
    running = true;
    let of;
    do {
      of = version;
      if (state.changed) starts.forEach(begin);
      state.changed = false;
      await compute(of);
    } while (of !== version);
    running = false;
    root.dataset.settled = true;
  }

  /** Says a slider's value beside it, and takes it as chosen. */
  function slid(input) {
    input.previousElementSibling.textContent = input.value;
    return { [input.name]: Number(input.value) };
  }

  for (const button of root.querySelectorAll("[data-way]")) {
    const way = Number(button.dataset.way);
    button.addEventListener("click", () => choose({ step: state.step + way }, way > 0));
  }
  for (const input of root.querySelectorAll("input[type=range]")) {
    if (input.name in data.settings) input.value = data.settings[input.name];
    Object.assign(state, slid(input));
    input.addEventListener("input", () => choose(slid(input)));
  }
  root.hidden = false;
  choose({});
})();
