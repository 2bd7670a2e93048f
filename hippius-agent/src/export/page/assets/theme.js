// Light, dark, or as the system has it. The choice stays in this browser.

import { byId } from "./dom.js";

const KEY = "hippius-theme";

function stored() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function apply(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

/** Follows the selector. */
export function start() {
  const select = byId("theme");
  select.value = stored();
  apply(select.value);
  select.addEventListener("change", () => {
    apply(select.value);
    try {
      localStorage.setItem(KEY, select.value);
    } catch {
      // Without storage the choice holds until the page is left.
    }
  });
}
