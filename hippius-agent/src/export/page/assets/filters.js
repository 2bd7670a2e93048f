// What is chosen: kept in the address, so that a view can be linked and survives a reload.

import { byId, html, keep } from "./dom.js";
import { short } from "./format.js";

const LABELS = { main_account: "Main account", subaccount_id: "Subaccount", handler: "Endpoint", service: "Service" };
const NAMES = Object.keys(LABELS);
const ROWS = { main_account: "account", subaccount_id: "subaccount" };

const chosen = Object.fromEntries(NAMES.map((name) => [name, []]));
let changed = () => {};

/** The filters as a part of a query. */
export function query() {
  const parameters = new URLSearchParams();
  for (const name of NAMES) for (const value of chosen[name]) parameters.append(name, value);
  return parameters;
}

/** Adds a value and shows it. */
export function choose(name, value) {
  if (!value || chosen[name].includes(value)) return;
  chosen[name].push(value);
  show();
}

function drop(name, value) {
  chosen[name] = chosen[name].filter((other) => other !== value);
  show();
  (byId("chips").querySelector("button") ?? byId(`filter-${name}`)).focus();
}

function show() {
  const address = new URL(location.href);
  for (const name of NAMES) {
    address.searchParams.delete(name);
    for (const value of chosen[name]) address.searchParams.append(name, value);
  }
  history.replaceState(null, "", address);
  const chips = NAMES.flatMap((name) => chosen[name].map((value) => JSON.stringify([name, value])));
  keep(byId("chips"), chips, (key) => {
    const [name, value] = JSON.parse(key);
    const text = `${LABELS[name]}: ${short(value)}`;
    return html("li", {}, html("button", { type: "button", title: value, "aria-label": `Remove filter ${LABELS[name]} ${value}`, click: () => drop(name, value) }, text));
  });
  changed();
}

/** Offers services and endpoints as the agent knows them. */
export function offer(choices) {
  for (const name of ["handler", "service"]) {
    const select = byId(`filter-${name}`);
    if (select === document.activeElement) continue;
    const open = choices[name].filter((value) => !chosen[name].includes(value));
    const known = [...select.options].slice(1).map((option) => option.value);
    if (JSON.stringify(open) === JSON.stringify(known)) continue;
    select.replaceChildren(html("option", { value: "" }, chosen[name].length ? "Add…" : "All"), ...open.map((value) => html("option", { value }, value)));
  }
}

/** Accounts are too many to list: the agent is asked for those that match what is typed. */
async function suggest(name, input) {
  const parameters = new URLSearchParams({ by: ROWS[name], search: input.value, limit: "20" });
  const answer = await fetch(`/api/v1/table?${parameters}`);
  if (!answer.ok) return;
  const { rows } = await answer.json();
  byId(`list-${name}`).replaceChildren(...rows.map((row) => html("option", { value: row.name })));
}

/** Follows the fields; `onChange` is called when the choice is another one. */
export function start(onChange) {
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (NAMES.includes(name) && !chosen[name].includes(value)) chosen[name].push(value);
  }
  show();
  changed = onChange;
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["handler", "service"]) {
    byId(`filter-${name}`).addEventListener("change", (event) => {
      choose(name, event.target.value);
      event.target.value = "";
    });
  }
  for (const name of Object.keys(ROWS)) {
    const input = byId(`filter-${name}`);
    let waiting;
    const take = () => {
      choose(name, input.value.trim());
      input.value = "";
    };
    input.addEventListener("focus", () => suggest(name, input).catch(() => {}));
    input.addEventListener("input", (event) => {
      // A suggestion that was picked arrives as a whole; typing arrives letter by letter.
      if (event.inputType === "insertReplacementText" || event.inputType === undefined) return take();
      clearTimeout(waiting);
      waiting = setTimeout(() => suggest(name, input).catch(() => {}), 200);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") take();
      if (event.key === "Escape") input.value = "";
    });
  }
}
