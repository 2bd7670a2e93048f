// The agent about itself: back-end, losses, sources.

import { byId, html } from "./dom.js";
import { bytes, clock, seconds, whole } from "./format.js";

const reasons = (counts) => counts.filter(({ count }) => count > 0).map(({ name, count }) => `${name} ${whole(count)}`).join(", ");
const sum = (counts) => counts.reduce((total, { count }) => total + count, 0);

/** A number that is 0 on a good day. */
function fault(counts, format = whole) {
  const total = sum(counts);
  return html("dd", { class: total > 0 ? "bad" : "good" }, format(total), total > 0 ? html("small", {}, reasons(counts)) : null);
}

function fact(title, value) {
  return html("div", {}, html("dt", {}, title), value instanceof Element ? value : html("dd", {}, value));
}

function facts(agent, now) {
  const connections = agent.connections.map(({ name, count }) => `${whole(count)} ${name}`).join(", ");
  const unattributed = html("dd", {}, bytes(sum(agent.unattributed_bytes)), html("small", {}, reasons(agent.unattributed_bytes)));
  return html("dl", { class: "card facts", id: "facts" },
    fact("Back-end", agent.backend || "starting"),
    fact("Running for", seconds(Math.max(0, now - agent.started_at_s))),
    fact("Records lost", fault(agent.lost)),
    fact("Difference to the kernel's count", fault([{ name: "", count: agent.audit_difference_bytes }], bytes)),
    fact("Streams picked up again", fault(agent.desynced)),
    fact("Bytes outside of requests", unattributed),
    fact("Records read", whole(agent.events)),
    fact("Connections", connections || "none"),
    fact("Series", html("dd", {}, whole(agent.series), agent.folded > 0 ? html("small", {}, `${whole(agent.folded)} updates on __other__`) : null)),
    fact("Memory", html("dd", {}, bytes(agent.memory_bytes), html("small", {}, `${bytes(agent.history_bytes)} of it for these charts`))));
}

function sources(agent, now) {
  const row = (source) => html("tr", {},
    html("th", { scope: "row" }, source.name),
    html("td", { class: source.up ? "good" : "bad" }, source.up ? "up" : "down"),
    html("td", { title: source.age_s == null ? null : clock(now - source.age_s) }, source.age_s == null ? "never" : seconds(source.age_s)),
    html("td", {}, source.took_s == null ? "–" : seconds(source.took_s)),
    html("td", { class: source.errors > 0 ? "bad" : null }, whole(source.errors)));
  const rows = agent.sources.length ? agent.sources.map(row) : [html("tr", {}, html("td", { class: "none", colspan: 5 }, "No source is polled: none is configured."))];
  return html("div", { class: "card scroll", tabindex: "0", role: "region", "aria-label": "Sources" },
    html("table", {}, html("thead", {}, html("tr", {}, ...["Source", "State", "Last answer", "Took", "Failed polls"].map((title) => html("th", { scope: "col" }, title)))),
      html("tbody", {}, ...rows)));
}

/** Shows the state. */
export function show(overview) {
  byId("agent-state").replaceChildren(facts(overview.agent, overview.sampled_at_s), sources(overview.agent, overview.sampled_at_s));
  byId("version").textContent = overview.agent.version ? `hippius-agent ${overview.agent.version}` : "";
}
