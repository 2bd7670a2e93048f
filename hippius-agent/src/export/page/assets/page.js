// The overview page: asks the agent every few seconds and shows what it says.

import * as agent from "./agent.js";
import { Chart } from "./chart.js";
import { byId, html, keep, setText, speak } from "./dom.js";
import * as filters from "./filters.js";
import { bytes, count, percent, seconds } from "./format.js";
import * as table from "./table.js";
import * as theme from "./theme.js";

const EVERY_MS = 5000;

const charts = new Map();
let paused = false;
let asked = 0;
let timer;

function status(state, text) {
  byId("status").dataset.state = state;
  setText(byId("status-text"), text);
}

function tiles(now) {
  const value = (id, text, unit = "") => byId(`now-${id}`).replaceChildren(text, ...(unit ? [html("small", {}, unit)] : []));
  value("requests", count(now.requests_per_second), "/s");
  value("failed", now.failed_ratio == null ? "–" : percent(now.failed_ratio));
  byId("now-failed").classList.toggle("bad", now.failed_ratio > 0);
  value("p95", now.p95_s == null ? "–" : seconds(now.p95_s));
  value("received", bytes(now.received_per_second), "/s");
  value("sent", bytes(now.sent_per_second), "/s");
  value("in_flight", now.in_flight == null ? "–" : count(now.in_flight));
}

/** The grid that the charts of a section stand in. */
function grid(section) {
  if (section === "Agent") return byId("agent-charts");
  const id = `section-${section.toLowerCase().replace(/\W+/g, "-")}`;
  if (!byId(id)) {
    byId("sections").append(html("section", { id, "aria-labelledby": `${id}-title` },
      html("div", { class: "heading" }, html("h2", { id: `${id}-title` }, section)), html("div", { class: "grid" })));
  }
  return byId(id).lastChild;
}

function panels(overview) {
  for (const section of new Set(overview.panels.map((panel) => panel.section))) {
    const list = overview.panels.filter((panel) => panel.section === section);
    for (const panel of list) if (!charts.has(panel.id)) charts.set(panel.id, new Chart(panel));
    keep(grid(section), list.map((panel) => panel.id), (id) => charts.get(id).element);
    for (const panel of list) charts.get(panel.id).update(panel, overview);
  }
}

function notice(overview) {
  const text = overview.complete ? "" : "More accounts were busy than the history keeps by name: in some intervals the chosen ones may be missing from the charts. The totals of the table are exact.";
  byId("notice").hidden = !text;
  setText(byId("notice"), text);
}

async function ask(path, parameters) {
  const answer = await fetch(`${path}?${parameters}`);
  if (!answer.ok) throw new Error(`the agent answered ${answer.status}`);
  return answer.json();
}

async function refresh() {
  clearTimeout(timer);
  asked += 1;
  const mine = asked;
  const parameters = filters.query();
  parameters.set("range", document.querySelector("input[name=range]:checked").value);
  try {
    const [overview, rows] = await Promise.all([ask("/api/v1/overview", parameters), ask("/api/v1/table", table.query())]);
    // An answer that was overtaken by another question is not shown.
    if (mine !== asked) return;
    tiles(overview.now);
    panels(overview);
    table.show(rows);
    agent.show(overview);
    filters.offer(overview.choices);
    notice(overview);
    document.body.dataset.sampled = overview.sampled_at_s;
    if (!paused) status("live", "Live");
  } catch (error) {
    if (mine !== asked) return;
    status("lost", `No answer: ${error.message}`);
  }
  if (!paused && mine === asked) timer = setTimeout(refresh, EVERY_MS);
}

function pause() {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  status(paused ? "paused" : "live", paused ? "Paused" : "Live");
  speak(paused ? "Paused" : "Live");
  if (paused) clearTimeout(timer);
  else refresh();
}

theme.start();
setText(byId("host"), location.host);
filters.start(refresh);
table.start(refresh);
byId("pause").addEventListener("click", pause);
for (const input of document.querySelectorAll("input[name=range]")) input.addEventListener("change", refresh);
// A page that nobody sees asks nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (!paused) refresh();
});
refresh();
