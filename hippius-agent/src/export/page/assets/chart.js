// A chart: drawn as SVG, walked with the arrow keys, and as a table for those who want numbers.

import { html, keep, setText, speak, svg } from "./dom.js";
import { axisUnit, clock, inUnit, short, tick } from "./format.js";

const REST = "others";
const REST_LOOK = "c8";
const SOLID = Array.from({ length: 8 }, (_, number) => `c${number}`);
// The colours once more: what is beyond eight lines is told apart by its dashes. Areas have none, and are never so many.
const DASHED = SOLID.map((colour) => `${colour} dashed`);
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 6, 14, 18];

// A name has one look wherever it stands; panels about different things count apart.
const known = new Map();

/** The look of each name of one chart, as classes: the one that it had, or one that is free. */
function looks(kind, names, stacked) {
  const key = (name) => `${kind}/${name}`;
  const free = stacked ? SOLID : [...SOLID, ...DASHED];
  const taken = new Map([[REST, REST_LOOK]]);
  const isTaken = (look) => [...taken.values()].includes(look);
  const others = names.filter((name) => name !== REST);
  for (const name of others) {
    const look = known.get(key(name));
    if (free.includes(look) && !isTaken(look)) taken.set(name, look);
  }
  for (const name of others.filter((name) => !taken.has(name))) {
    const used = new Set([...known].filter(([other]) => other.startsWith(`${kind}/`)).map(([, look]) => look));
    const from = (all) => all.find((look) => !used.has(look) && !isTaken(look)) ?? all.find((look) => !isTaken(look));
    const look = from(SOLID) ?? from(free) ?? free[taken.size % free.length];
    taken.set(name, look);
    known.set(key(name), look);
  }
  return taken;
}

const KINDS = { requests: "account", received: "account", sent: "account" };

/** Round steps from 0 to the largest value: at most four. */
function steps(largest, unit) {
  const base = unit.startsWith("B") ? 1024 : 1;
  let scale = 1;
  if (base === 1024) while (largest / scale >= 1024) scale *= 1024;
  const rough = largest / scale / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999) * scale;
  const count = Math.max(1, Math.ceil((largest / step) * 0.999));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** One panel of the page. */
export class Chart {
  constructor(panel) {
    this.id = panel.id;
    this.cursor = null;
    this.title = html("h3", { id: `title-${panel.id}`, title: panel.about }, panel.title);
    this.at = html("output", { for: `plot-${panel.id}` });
    this.picture = svg("svg", { "aria-hidden": "true" });
    this.why = html("p", { class: "why", hidden: true });
    this.plot = html("div", {
      class: "plot", id: `plot-${panel.id}`, role: "img", tabindex: "0", "aria-labelledby": `title-${panel.id}`, "aria-describedby": `about-${panel.id}`,
      keydown: (event) => this.key(event), pointermove: (event) => this.point(event), pointerleave: () => this.move(null), blur: () => this.move(null),
    }, this.picture, this.why);
    this.about = html("p", { class: "hidden", id: `about-${panel.id}` });
    this.legend = html("ul", { class: "legend", "aria-label": "Series" });
    this.head = html("thead");
    this.body = html("tbody");
    this.table = html("table", {}, html("caption", { class: "hidden" }, panel.title), this.head, this.body);
    this.details = html("details", { toggle: () => this.fillTable() },
      html("summary", {}, "Values"), html("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${panel.title}: values` }, this.table));
    this.element = html("article", { class: "card panel", "data-panel": panel.id },
      html("header", {}, this.title, this.at), this.plot, this.about, this.legend, this.details);
    new ResizeObserver(() => this.draw()).observe(this.plot);
  }

  /** Shows new values. */
  update(panel, frame) {
    [this.panel, this.frame] = [panel, frame];
    const names = panel.series.map((series) => series.name);
    const look = looks(KINDS[panel.id] ?? panel.id, names, panel.stacked);
    this.series = panel.series.map((series) => ({ ...series, look: look.get(series.name) }));
    const isEmpty = this.series.length === 0;
    this.why.hidden = !isEmpty;
    setText(this.why, isEmpty ? panel.empty ?? "No values." : "");
    this.element.classList.toggle("empty", isEmpty);
    this.details.hidden = isEmpty;
    this.plot.tabIndex = isEmpty ? -1 : 0;
    const last = this.series.map((series) => `${series.name} ${inUnit(series.values.at(-1), panel.unit)}`);
    setText(this.about, `${panel.about} ${isEmpty ? panel.empty : `Last values: ${last.join(", ")}. Arrow keys move through time.`}`);
    this.draw();
    this.fillTable();
  }

  time(index) {
    return this.frame.sampled_at_s - (this.frame.points - 1 - index) * this.frame.step_s;
  }

  /** The lines of a stack stand on the ones before them. */
  tops() {
    if (!this.panel.stacked) return this.series.map((series) => series.values);
    const sums = Array(this.frame.points).fill(0);
    return this.series.map((series) => series.values.map((value, index) => (value == null ? null : (sums[index] += value))));
  }

  draw() {
    if (!this.panel) return;
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (width === 0) return;
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const points = this.frame.points;
    const tops = this.tops();
    const largest = Math.max(...tops.flat().filter((value) => value != null), 0);
    const ticks = steps(largest || 1, this.panel.unit);
    const top = ticks.at(-1);
    this.x = (index) => LEFT + ((width - LEFT - RIGHT) * index) / (points - 1);
    const y = (value) => height - BOTTOM - ((height - TOP - BOTTOM) * value) / top;
    const parts = [];
    if (this.series.length > 0) {
      for (const value of ticks) {
        parts.push(svg("line", { class: value === 0 ? "base" : "grid-line", x1: LEFT, x2: width - RIGHT, y1: Math.round(y(value)) + 0.5, y2: Math.round(y(value)) + 0.5 }));
        parts.push(svg("text", { class: "y", x: LEFT - 7, y: y(value) }, tick(value, this.panel.unit)));
      }
      parts.push(svg("text", { class: "unit", x: LEFT - 4, y: 6 }, axisUnit(this.panel.unit)));
      parts.push(...this.times(width, height));
      parts.push(...this.shapes(tops, y));
      this.line = svg("line", { class: "cursor", y1: TOP, y2: height - BOTTOM });
      parts.push(this.line);
    }
    this.picture.replaceChildren(...parts);
    this.showCursor();
  }

  /** Full minutes, at most one for every 90 pixels. */
  times(width, height) {
    const span = (this.frame.points - 1) * this.frame.step_s;
    const most = Math.max(2, Math.floor((width - LEFT) / 90));
    const step = [60, 120, 300, 600, 900, 1200, 1800].find((candidate) => span / candidate <= most) ?? 3600;
    const first = Math.ceil(this.time(0) / step) * step;
    const texts = [];
    for (let at = first; at <= this.frame.sampled_at_s; at += step) {
      const x = this.x((at - this.time(0)) / this.frame.step_s);
      if (x > LEFT + 14 && x < width - 14) texts.push(svg("text", { class: "x", x, y: height - 4 }, clock(at, false)));
    }
    return texts;
  }

  shapes(tops, y) {
    return tops.map((values, number) => {
      const below = this.panel.stacked && number > 0 ? tops[number - 1] : null;
      const runs = [];
      values.forEach((value, index) => {
        if (value == null) return;
        if (index === 0 || values[index - 1] == null) runs.push([]);
        runs.at(-1).push(index);
      });
      const xy = (index, value) => `${this.x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      const name = this.series[number].look;
      const path = runs.map((run) => {
        const over = run.map((index) => xy(index, values[index])).join("L");
        if (!this.panel.stacked) return run.length === 1 ? `M${over}h0.1` : `M${over}`;
        const under = [...run].reverse().map((index) => xy(index, below?.[index] ?? 0)).join("L");
        return `M${over}L${under}Z`;
      }).join("");
      return svg("path", { class: this.panel.stacked ? `${name} area` : `${name} line`, d: path });
    });
  }

  key(event) {
    if (!this.series?.length) return;
    const last = this.frame.points - 1;
    const from = this.cursor ?? last + 1;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.move(to === null ? null : Math.min(last, Math.max(0, to)));
    if (this.cursor !== null) {
      speak(`${clock(this.time(this.cursor))}: ${this.series.map((series) => `${series.name} ${inUnit(series.values[this.cursor], this.panel.unit)}`).join(", ")}`);
    }
  }

  point(event) {
    if (!this.x || !this.series?.length) return;
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    const width = this.plot.clientWidth - LEFT - RIGHT;
    const index = Math.round(((x - LEFT) / width) * (this.frame.points - 1));
    this.move(Math.min(this.frame.points - 1, Math.max(0, index)));
  }

  move(index) {
    this.cursor = index;
    this.showCursor();
  }

  /** The legend says the values at the cursor, or the last ones. */
  showCursor() {
    const at = this.cursor ?? this.frame.points - 1;
    if (this.line) {
      this.line.classList.toggle("on", this.cursor !== null);
      this.line.setAttribute("x1", this.x(at));
      this.line.setAttribute("x2", this.x(at));
    }
    setText(this.at, this.cursor === null ? this.total(at) : `${clock(this.time(at))}${this.panel.stacked ? ` · ${this.total(at)}` : ""}`);
    const rows = keep(this.legend, this.series.map((series) => series.name), (name) =>
      html("li", {}, html("span", { class: "swatch", "aria-hidden": "true" }), html("span", { class: "name", title: name }, short(name)), html("span", { class: "value" })));
    rows.forEach((row, number) => {
      row.firstChild.className = `swatch ${this.series[number].look}`;
      setText(row.lastChild, inUnit(this.series[number].values[at], this.panel.unit));
    });
  }

  total(at) {
    if (!this.panel.stacked || !this.series.length) return "";
    return inUnit(this.series.reduce((sum, series) => sum + (series.values[at] ?? 0), 0), this.panel.unit);
  }

  /** Only while it is open: nobody reads a hundred closed tables. */
  fillTable() {
    if (!this.details.open || !this.series?.length) return;
    this.head.replaceChildren(html("tr", {}, html("th", { scope: "col" }, "Time"), ...this.series.map((series) => html("th", { scope: "col", title: series.name }, short(series.name)))));
    const rows = [];
    for (let index = this.frame.points - 1; index >= 0; index -= 1) {
      if (this.series.every((series) => series.values[index] == null)) continue;
      rows.push(html("tr", {}, html("th", { scope: "row" }, clock(this.time(index))), ...this.series.map((series) => html("td", {}, inUnit(series.values[index], this.panel.unit)))));
    }
    this.body.replaceChildren(...rows);
  }
}
