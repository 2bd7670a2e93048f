// The table of accounts, operations, endpoints, services, peers and connections.

import { byId, html, setText } from "./dom.js";
import { bytes, count, seconds, short, whole } from "./format.js";
import * as filters from "./filters.js";

const NAMES = { account: "Main account", subaccount: "Subaccount", operation: "Operation", handler: "Endpoint", service: "Service", peer: "Peer", connection: "Connection" };
const FILTER = { account: "main_account", subaccount: "subaccount_id", handler: "handler", service: "service" };
const ROWS = 50;

const state = { by: "account", sort: "requests", reverse: false };
let changed = () => {};

/** What only connections have. */
function live() {
  const text = (sort, title, of) => ({ sort, title, words: true, text: (row) => (row.connection ? of(row.connection) || "–" : "") });
  return [
    text("account", "Account", ({ main_account: account }) => short(account)),
    text("state", "State", ({ way, state: doing }) => `${doing}, ${way === "in" ? "accepted" : "opened"}`),
    { ...text("age", "Open for", ({ age_s: age }) => seconds(Math.round(age))), words: false },
  ];
}

/** Columns of the rows that are shown. */
function columns() {
  const pair = (key, title, format) => [
    { sort: key, title: `${title}/s`, text: (row) => format(row[key].per_second, true), key },
    { sort: `${key}_total`, title: `${title}, total`, text: (row) => format(row[key].total, false), key, total: true },
  ];
  const counts = (value, rate) => (rate ? count(value) : whole(value));
  const duration = (sort, title) => ({ sort, title, text: (row) => (row[`${sort}_s`] == null ? "–" : seconds(row[`${sort}_s`])) });
  const requests = pair("requests", state.by === "operation" ? "Operations" : "Requests", counts);
  const transfer = [...pair("received", "Received", (value) => bytes(value)), ...pair("sent", "Sent", (value) => bytes(value))];
  if (state.by === "connection") return [...live(), ...requests, ...transfer];
  const list = [...requests, ...pair("failed", "Failed", counts)];
  if (state.by !== "operation") list.push(...transfer);
  if (state.by === "handler" || state.by === "service") list.push(duration("p95", "p95, 1 min"));
  if (state.by === "peer") list.push(duration("p50", "p50, 1 min"), duration("p99", "p99, 1 min"));
  return list;
}

/** The query of the rows that are wanted. */
export function query() {
  const parameters = filters.query();
  parameters.set("by", state.by);
  parameters.set("sort", state.sort);
  parameters.set("order", state.reverse ? "last" : "first");
  parameters.set("limit", ROWS);
  const search = byId("search").value.trim();
  if (search) parameters.set("search", search);
  return parameters;
}

/** The heads tell and change what comes first. */
function head() {
  const cell = (sort, title, words) => {
    const mine = state.sort === sort;
    const falls = ["name", "account", "state"].includes(sort) === state.reverse;
    const take = () => {
      [state.sort, state.reverse] = [sort, mine ? !state.reverse : false];
      changed();
      document.querySelector(`#rows thead [data-sort="${sort}"]`)?.focus();
    };
    return html("th", { scope: "col", class: words ? "words" : null, "aria-sort": mine ? (falls ? "descending" : "ascending") : null },
      html("button", { type: "button", "data-sort": sort, click: take }, title));
  };
  return html("tr", {}, cell("name", NAMES[state.by]), ...columns().map((column) => cell(column.sort, column.title, column.words)));
}

function name(row) {
  const label = FILTER[state.by];
  const text = row.name === "" ? "(none)" : short(row.name);
  const group = row.group ? html("span", { class: "muted small", title: row.group }, ` ${short(row.group)}`) : null;
  if (!label || row.name === "" || row.name === "__other__") return html("th", { scope: "row", title: row.name }, text, group);
  return html("th", { scope: "row" }, html("button", { type: "button", title: row.name, "aria-label": `Filter by ${row.name}`, "data-name": row.name, click: () => filters.choose(label, row.name) }, text), group);
}

function cells(row) {
  return columns().map((column) => {
    const value = row[column.key];
    const bad = column.key === "failed" && (column.total ? value.total : value.per_second) > 0;
    const exact = value && column.total ? value.total : null;
    return html("td", { class: bad ? "bad" : column.total ? "total" : column.words ? "words" : null, "data-column": column.sort, "data-value": exact, title: exact === null ? null : whole(exact) }, column.text(row));
  });
}

/** Shows the rows; the keyboard stays where it was. */
export function show(table) {
  if (table.by !== state.by) return;
  const root = byId("rows");
  const [focused, sorted] = [document.activeElement?.dataset?.name, document.activeElement?.dataset?.sort];
  root.tHead.replaceChildren(head());
  const none = html("tr", {}, html("td", { class: "none", colspan: columns().length + 1 }, "Nothing was counted that the filters and the search let through."));
  const rows = table.rows.map((row) => html("tr", { "data-row": row.name }, name(row), ...cells(row)));
  root.tBodies[0].replaceChildren(...(rows.length ? rows : [none]));
  root.tFoot.replaceChildren(...(rows.length > 1 ? [html("tr", { "data-row": "" }, html("td", {}, `All ${whole(table.matching)}`), ...cells(table.total))] : []));
  const find = focused ? `[data-name="${CSS.escape(focused)}"]` : sorted ? `[data-sort="${sorted}"]` : null;
  if (find) root.querySelector(find)?.focus();
  const shown = table.rows.length < table.matching ? `The first ${table.rows.length} of ${whole(table.matching)}. ` : "";
  const quiet = table.left_out > 0 ? `${whole(table.left_out)} quieter connections are left out. ` : "";
  const since = table.by === "connection" ? "a connection was first seen; sk: is its socket, as ss -e names it" : "the agent started";
  setText(byId("rows-note"), `${shown}${quiet}Rates are those of the last ${Math.round(table.interval_s)} s, totals those since ${since}.`);
}

/** Follows the choice of rows and the search. */
export function start(onChange) {
  changed = onChange;
  byId("by").addEventListener("change", (event) => {
    state.by = event.target.value;
    if (state.sort !== "name" && !columns().some((column) => column.sort === state.sort)) state.sort = "requests";
    changed();
  });
  let waiting;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, 200);
  });
}
