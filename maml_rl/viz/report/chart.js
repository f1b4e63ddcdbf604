"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const DASHES = ["", "9 3", "9 3 2 3"];
const MARGIN = { left: 58, right: 12, top: 10, bottom: 42 };
let charts = 0;

function node(parent, tag, attributes = {}, text = null) {
  const drawn = parent.namespaceURI.endsWith("svg") || tag === "svg";
  const made = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

function shown(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  const whole = Number.isInteger(value) || size >= 1e5;
  const text = size && size < 1e-3 ? value.toExponential(2)
    : value.toLocaleString("en", whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 });
  return text.replace("-", "−");
}

/** Round numbers that divide the range into about `count` parts. */
function ticks(low, high, count, whole = false) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.75);
  if (whole) step = Math.max(1, Math.round(step));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

class Chart {
  constructor(place, spec) {
    Object.assign(this, { spec, axis: 0, quantity: 0, zoom: null, cursor: null, hidden: new Set(), name: `chart${charts++}` });
    place.replaceChildren();
    const tools = node(place, "div", { class: "tools" });
    this.select(tools, "show", spec.quantities.map((quantity) => quantity.label), (i) => { this.quantity = i; });
    this.select(tools, "over", spec.axes, (i) => { Object.assign(this, { axis: i, zoom: null, cursor: null }); });
    this.buttons = [["Zoom in", () => this.scale(0.5)], ["Zoom out", () => this.scale(2)], ["Whole range", () => this.reset()]]
      .map(([label, act]) => {
        const button = node(tools, "button", { type: "button" }, label);
        button.addEventListener("click", () => { act(); this.draw(); });
        return button;
      });
    const what = `${spec.title}. Left and right arrows move along the curves, with shift the section; plus and minus zoom; 0 shows the whole range.`;
    this.plot = node(place, "div", { class: "plot", tabindex: 0, role: "application", "aria-label": what });
    this.said = node(place, "p", { class: "unseen", "aria-live": "polite" });
    this.legend = node(place, "div", { class: "scroll legend", role: "region", tabindex: 0, "aria-label": `${spec.title}: runs and values` });
    this.note = node(place, "p", { class: "note" });
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  select(tools, label, names, choose) {
    if (names.length < 2) return;
    const select = node(node(tools, "label", {}, label), "select");
    names.forEach((name, i) => node(select, "option", { value: i }, name));
    select.addEventListener("change", () => { choose(Number(select.value)); this.draw(); });
  }

  get lines() {
    return this.spec.quantities[this.quantity].lines.filter((line) => !this.hidden.has(line.run));
  }

  x(line) { return this.spec.x[this.axis][line.run]; }

  get whole() {
    const every = this.spec.quantities[this.quantity].lines.flatMap((line) => [this.x(line)[0], this.x(line).at(-1)]);
    const [low, high] = [Math.min(...every), Math.max(...every)];
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  }

  get range() { return this.zoom ?? this.whole; }

  /** The nearest point of a line to the cursor, if it is in sight and the line reaches so far. */
  at(line) {
    const xs = this.x(line);
    const reach = (xs.at(-1) - xs[0]) / Math.max(1, xs.length - 1) / 2;
    if (this.cursor < xs[0] - reach || this.cursor > xs.at(-1) + reach) return null;
    let best = 0;
    xs.forEach((x, i) => { if (Math.abs(x - this.cursor) < Math.abs(xs[best] - this.cursor)) best = i; });
    return xs[best] >= this.range[0] && xs[best] <= this.range[1] ? best : null;
  }

  /** Where the point is whose values are told, which of several lines is that of the first. */
  near() {
    const line = this.lines.find((candidate) => this.at(candidate) !== null);
    return line ? this.x(line)[this.at(line)] : this.cursor;
  }

  reset() { this.zoom = null; }

  scale(factor) {
    const [low, high] = this.range;
    const seen = this.cursor !== null && this.cursor >= low && this.cursor <= high;
    const middle = seen ? this.cursor : (low + high) / 2;
    this.show(middle - (middle - low) * factor, middle + (high - middle) * factor);
  }

  /** Show a section of x; one as wide as the whole is the whole. */
  show(low, high) {
    const [least, most] = this.whole;
    const width = high - low;
    if (width >= most - least) return this.reset();
    if (width < (most - least) * 1e-4) return;
    const start = Math.min(Math.max(low, least), most - width);
    this.zoom = [start, start + width];
  }

  move(by) {
    const [low, high] = this.range;
    const lines = this.lines;
    const points = [...new Set(lines.flatMap((line) => this.x(line)))].sort((a, b) => a - b);
    const inside = points.filter((x) => x >= low && x <= high);
    if (!inside.length) return;
    if (this.cursor === null) this.cursor = by > 0 ? inside[0] : inside.at(-1);
    else if (by > 0) this.cursor = inside.find((x) => x > this.cursor) ?? inside.at(-1);
    else this.cursor = inside.findLast((x) => x < this.cursor) ?? inside[0];
    const values = lines.map((line) => [line, this.at(line)]).filter(([, i]) => i !== null)
      .map(([line, i]) => `${report.runs[line.run]}, ${line.name}: ${shown(line.y[i])}`);
    this.said.textContent = `${this.spec.axes[this.axis]} ${shown(this.cursor)}. ${values.join("; ")}`;
  }

  pan(by) {
    const [low, high] = this.range;
    this.show(low + by * (high - low), high + by * (high - low));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const act = {
      ArrowRight: () => (event.shiftKey ? this.pan(0.25) : this.move(1)),
      ArrowLeft: () => (event.shiftKey ? this.pan(-0.25) : this.move(-1)),
      "+": () => this.scale(0.5), "=": () => this.scale(0.5), "-": () => this.scale(2),
      0: () => this.reset(), Escape: () => { this.reset(); this.cursor = null; },
    }[event.key];
    if (act) act();
    return Boolean(act);
  }

  listen() {
    let start = null;
    const where = (event) => event.clientX - this.plot.getBoundingClientRect().left;
    const end = () => { start = this.dragged = null; this.draw(); };
    this.plot.addEventListener("keydown", (event) => {
      if (this.key(event)) { event.preventDefault(); this.draw(); }
    });
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      start = where(event);
      this.plot.setPointerCapture(event.pointerId);
      this.cursor = this.toX(start);
      this.draw();
    });
    this.plot.addEventListener("pointermove", (event) => {
      this.cursor = this.toX(where(event));
      if (start !== null) this.dragged = [start, where(event)];
      this.draw();
    });
    this.plot.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(where(event) - start) > 6) {
        this.show(...[start, where(event)].sort((a, b) => a - b).map((pixel) => this.toX(pixel)));
      }
      end();
    });
    this.plot.addEventListener("pointercancel", end);
    this.plot.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && start === null) { this.cursor = null; this.draw(); }
    });
    this.plot.addEventListener("dblclick", () => { this.reset(); this.draw(); });
  }

  toX(pixel) {
    const [low, high] = this.range;
    const part = (pixel - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    return low + Math.min(Math.max(part, 0), 1) * (high - low);
  }

  /** Lowest and highest value in sight, with some room. */
  heights() {
    const [low, high] = this.range;
    const seen = this.lines.flatMap((line) => this.x(line).flatMap((x, i) => (
      x >= low && x <= high ? [line.y[i], line.low?.[i], line.high?.[i]] : []))).filter(Number.isFinite);
    if (!seen.length) return [0, 1];
    const [least, most] = [seen.reduce((a, b) => Math.min(a, b)), seen.reduce((a, b) => Math.max(a, b))];
    const room = (most - least) * 0.06 || Math.abs(most) * 0.1 || 1;
    return [least - room, most + room];
  }

  draw() {
    this.width = this.plot.clientWidth;
    if (!this.width) return;
    const height = Math.round(Math.min(Math.max(this.width * 0.45, 250), 400));
    const [[x0, x1], [y0, y1]] = [this.range, this.heights()];
    const [right, bottom] = [this.width - MARGIN.right, height - MARGIN.bottom];
    const px = (x) => MARGIN.left + (x - x0) / (x1 - x0) * (right - MARGIN.left);
    const py = (y) => bottom - (y - y0) / (y1 - y0) * (bottom - MARGIN.top);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("height", height);
    const inside = { x: MARGIN.left, y: MARGIN.top, width: right - MARGIN.left, height: bottom - MARGIN.top };
    node(node(svg, "clipPath", { id: this.name }), "rect", inside);
    for (const y of ticks(y0, y1, 5)) {
      node(svg, "line", { class: "grid", x1: MARGIN.left, x2: right, y1: py(y), y2: py(y) });
      node(svg, "text", { x: MARGIN.left - 6, y: py(y) + 4, "text-anchor": "end" }, shown(y));
    }
    for (const x of ticks(x0, x1, Math.max(2, Math.min(8, this.width / 90)), true)) {
      node(svg, "line", { class: "axis", x1: px(x), x2: px(x), y1: bottom, y2: bottom + 4 });
      node(svg, "text", { x: px(x), y: bottom + 18, "text-anchor": "middle" }, shown(x));
    }
    node(svg, "line", { class: "axis", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom });
    node(svg, "text", { x: (MARGIN.left + right) / 2, y: height - 6, "text-anchor": "middle" }, this.spec.axes[this.axis]);
    const drawn = node(svg, "g", { "clip-path": `url(#${this.name})` });
    for (const line of this.lines) this.drawLine(drawn, line, px, py);
    if (this.dragged) {
      const [from, to] = this.dragged.slice().sort((a, b) => a - b);
      node(drawn, "rect", { class: "chosen", x: from, y: MARGIN.top, width: to - from, height: inside.height });
    }
    if (this.cursor !== null) this.drawCursor(svg, px, py, bottom);
    this.plot.replaceChildren(svg);
    this.drawLegend();
    this.note.textContent = this.spec.quantities[this.quantity].note;
    this.buttons[1].disabled = this.buttons[2].disabled = this.zoom === null;
  }

  color(run) { return report.colors[run % report.colors.length]; }

  drawLine(svg, line, px, py) {
    const xs = this.x(line);
    const known = line.y.map((y, i) => i).filter((i) => line.y[i] !== null);
    const point = (values) => (i) => `${px(xs[i]).toFixed(1)},${py(values[i]).toFixed(1)}`;
    const dash = line.dotted ? "2 3" : DASHES[Math.floor(line.run / report.colors.length) % DASHES.length];
    const color = this.color(line.run);
    if (line.low) {
      const bounded = known.filter((i) => line.low[i] !== null && line.high[i] !== null);
      const outline = [...bounded.map(point(line.high)), ...bounded.reverse().map(point(line.low))];
      node(svg, "polygon", { class: "shade", fill: color, points: outline.join(" ") });
    }
    node(svg, "polyline", { class: "curve", stroke: color, "stroke-dasharray": dash, points: known.map(point(line.y)).join(" ") });
    if (known.length <= 30) for (const i of known) node(svg, "circle", { fill: color, r: 3, cx: px(xs[i]), cy: py(line.y[i]) });
  }

  drawCursor(svg, px, py, bottom) {
    const x = px(this.cursor);
    node(svg, "line", { class: "cursor", x1: x, x2: x, y1: MARGIN.top, y2: bottom });
    for (const line of this.lines) {
      const i = this.at(line);
      if (i === null || line.y[i] === null) continue;
      node(svg, "circle", { fill: this.color(line.run), r: 4.5, cx: px(this.x(line)[i]), cy: py(line.y[i]) });
    }
  }

  /** A row per run with its values at the cursor, or its last ones. */
  drawLegend() {
    const every = this.spec.quantities[this.quantity].lines;
    const names = [...new Set(every.map((line) => line.name))];
    const dotted = new Set(every.filter((line) => line.dotted).map((line) => line.name));
    const runs = [...new Set(every.map((line) => line.run))];
    const focused = runs.find((run) => document.activeElement?.dataset?.run === `${this.name}-${run}`);
    const table = document.createElement("table");
    const head = node(node(table, "thead"), "tr");
    const axis = this.spec.axes[this.axis];
    node(head, "th", { scope: "col" }, this.cursor === null ? "last values" : `${axis}: ${shown(this.near())}`);
    for (const name of names) {
      node(head, "th", { scope: "col", class: "number" }, dotted.has(name) ? `${name} (dotted)` : name);
    }
    const body = node(table, "tbody");
    for (const run of runs) {
      const row = node(body, "tr");
      const button = node(node(row, "th", { scope: "row" }), "button", { type: "button", "aria-pressed": !this.hidden.has(run), "data-run": `${this.name}-${run}` });
      node(button, "span", { class: "swatch", style: `background: ${this.color(run)}` });
      button.append(report.runs[run]);
      button.addEventListener("click", () => { this.hidden.delete(run) || this.hidden.add(run); this.draw(); });
      const of = every.filter((line) => line.run === run);
      const index = this.cursor === null ? this.x(of[0]).length - 1 : this.at(of[0]);
      for (const name of names) {
        const cell = node(row, "td", { class: "number" });
        const line = of.find((candidate) => candidate.name === name);
        if (line && index !== null) this.tell(cell, line, index);
      }
    }
    this.legend.replaceChildren(table);
    if (focused !== undefined) this.legend.querySelector(`[data-run="${this.name}-${focused}"]`).focus();
  }

  tell(cell, line, i) {
    const [low, high] = [line.low?.[i] ?? null, line.high?.[i] ?? null];
    cell.append(`${shown(line.y[i])} `);
    if (low !== null && high !== null) node(cell, "span", { class: "interval" }, `(${shown(low)} … ${shown(high)})`);
  }
}

for (const place of document.querySelectorAll("[data-chart]")) {
  const spec = report.charts[place.dataset.chart];
  if (spec) new Chart(place, spec);
}
