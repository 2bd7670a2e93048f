// The table of accounts, operations, endpoints and services.

import { byId, html, setText } from "./dom.js";
import { bytes, count, seconds, short, whole } from "./format.js";
import * as filters from "./filters.js";

const NAMES = { account: "Main account", subaccount: "Subaccount", operation: "Operation", handler: "Endpoint", service: "Service" };
const FILTER = { account: "main_account", subaccount: "subaccount_id", handler: "handler", service: "service" };
const ROWS = 50;

const state = { by: "account", sort: "requests", reverse: false };
let changed = () => {};

/** Columns of the rows that are shown. */
function columns() {
  const pair = (key, title, format) => [
    { sort: key, title: `${title}/s`, text: (row) => format(row[key].per_second, true), key },
    { sort: `${key}_total`, title: `${title}, total`, text: (row) => format(row[key].total, false), key, total: true },
  ];
  const counts = (value, rate) => (rate ? count(value) : whole(value));
  const list = [...pair("requests", state.by === "operation" ? "Operations" : "Requests", counts), ...pair("failed", "Failed", counts)];
  if (state.by !== "operation") list.push(...pair("received", "Received", (value) => bytes(value)), ...pair("sent", "Sent", (value) => bytes(value)));
  if (state.by === "handler" || state.by === "service") list.push({ sort: "p95", title: "p95, 1 min", text: (row) => (row.p95_s == null ? "–" : seconds(row.p95_s)) });
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
  const cell = (sort, title) => {
    const mine = state.sort === sort;
    const falls = (sort === "name") === state.reverse;
    const take = () => {
      [state.sort, state.reverse] = [sort, mine ? !state.reverse : false];
      changed();
      document.querySelector(`#rows thead [data-sort="${sort}"]`)?.focus();
    };
    return html("th", { scope: "col", "aria-sort": mine ? (falls ? "descending" : "ascending") : null },
      html("button", { type: "button", "data-sort": sort, click: take }, title));
  };
  return html("tr", {}, cell("name", NAMES[state.by]), ...columns().map((column) => cell(column.sort, column.title)));
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
    return html("td", { class: bad ? "bad" : column.total ? "total" : null, "data-column": column.sort, "data-value": exact, title: exact === null ? null : whole(exact) }, column.text(row));
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
  setText(byId("rows-note"), `${shown}Rates are those of the last ${Math.round(table.interval_s)} s, totals those since the agent started.`);
}

/** Follows the choice of rows and the search. */
export function start(onChange) {
  changed = onChange;
  byId("by").addEventListener("change", (event) => {
    state.by = event.target.value;
    if (state.by === "operation" && /received|sent|p95/.test(state.sort)) state.sort = "requests";
    changed();
  });
  let waiting;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, 200);
  });
}
