// The overview page in a headless Chromium: node overview_drive.js <modules> <url> <scenario>. The last line is JSON.
//
// Clicks are avoided where a keyboard user would not have them.
const path = require("path");
const [modules, url, scenario] = process.argv.slice(2);
const { chromium } = require(path.join(modules, "node_modules", "playwright-core"));

const PROGRAMS = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
const program = PROGRAMS.find((name) => require("fs").existsSync(name));
const WIDE = 30000;

/** Everything that the browser says or asks for. */
function watch(page, seen) {
  page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.console.push(`error: ${error.message}`));
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("response", async (response) => {
    // A body may be gone when the page is left; what matters is read by then.
    const text = await response.text().catch(() => "");
    seen.bodies.push([response.url(), text.length]);
    seen.text.push(text);
  });
}

async function open(browser, seen, options = {}, query = "") {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WIDE);
  watch(page, seen);
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url + query);
  return page;
}

/** Waits for the next answer of the agent after `action`. */
async function after(page, action) {
  const answered = page.waitForResponse((response) => response.url().includes("/api/v1/table?by=") || response.url().includes("/api/v1/table?main"));
  await action();
  await answered;
  await page.waitForTimeout(100);
}

const live = (page) => page.locator("#status[data-state=live]").waitFor();

/** The rows of the table: name, and exact totals by column. */
const rows = (page) => page.evaluate(() => [...document.querySelectorAll("#rows tbody tr[data-row]")].map((row) => ({
  name: row.dataset.row,
  totals: Object.fromEntries([...row.querySelectorAll("td[data-value]")].map((cell) => [cell.dataset.column, Number(cell.dataset.value)])),
})));

const tableOf = async (page, by) => {
  await page.locator(`#by input[value=${by}]`).focus();
  await after(page, () => page.keyboard.press("Space"));
  await page.waitForFunction((by) => document.querySelector(`#by input[value=${by}]`).checked, by);
  return rows(page);
};

/** What each chart shows: series with their last value, shapes, or why there is nothing. */
const charts = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("[data-panel]")].map((panel) => [panel.dataset.panel,
  { legend: [...panel.querySelectorAll(".legend li")].map((item) => [item.querySelector(".name").title, item.querySelector(".value").textContent]),
    shapes: panel.querySelectorAll("path").length, why: panel.querySelector(".why").textContent }])));

async function look(browser, seen) {
  const page = await open(browser, seen);
  await live(page);
  const result = { title: await page.title(), headings: await page.locator("h3").allTextContents() };
  result.accounts = await rows(page);
  result.charts = await charts(page);
  result.facts = await page.locator("#facts").innerText();
  for (const by of ["subaccount", "operation", "handler", "service"]) result[by] = await tableOf(page, by);

  // The way of the keyboard: from the top to the first chart, through time, its values, a sort, a filter.
  await page.reload();
  await live(page);
  const stops = [];
  for (let step = 0; step < 40 && !(stops.at(-1) ?? "").startsWith("plot-"); step += 1) {
    await page.keyboard.press("Tab");
    stops.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim().slice(0, 20)));
  }
  result.stops = stops;
  await page.keyboard.press("ArrowLeft");
  result.spoken = await page.locator("#spoken").textContent();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("[data-panel=requests] details tbody tr").first().waitFor();
  result.values = await page.locator("[data-panel=requests] details tbody tr").count();
  await tableOf(page, "account");
  await page.locator("#rows thead [data-sort=sent_total]").focus();
  await after(page, () => page.keyboard.press("Enter"));
  result.sorted = (await rows(page)).map((row) => row.totals.sent_total);
  result.ariaSort = await page.locator("#rows th[aria-sort]").getAttribute("aria-sort");
  const first = page.locator("#rows tbody button").first();
  result.chosen = await first.getAttribute("data-name");
  await first.focus();
  await after(page, () => page.keyboard.press("Enter"));
  await page.waitForFunction(() => document.querySelectorAll("#rows tbody tr").length === 1);
  result.filtered = await rows(page);
  result.address = page.url();
  result.legend = await page.locator("[data-panel=requests] .legend .name").evaluateAll((names) => names.map((name) => name.title));
  await page.locator("#chips button").focus();
  await after(page, () => page.keyboard.press("Enter"));
  result.chips = await page.locator("#chips button").count();

  result.unnamed = await page.evaluate(() => [...document.querySelectorAll("button, input, select, summary, a")].filter((element) =>
    !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length)).map((element) => element.outerHTML));
  result.violations = await page.evaluate(() => window.violations);
  result.console = [...seen.console];
  result.text = `${await page.content()}\n${seen.text.join("\n")}`;

  // What the policy forbids does not happen, even if markup of somebody else got in.
  result.forbidden = await page.evaluate(async () => {
    const script = document.createElement("script");
    script.textContent = "window.inline = true";
    document.body.append(script);
    const fetched = await fetch("https://example.org/").then(() => true, () => false);
    return { inline: window.inline === true, fetched, blocked: window.violations.length };
  });
  result.cookies = (await page.context().cookies()).length;
  await page.context().close();
  return result;
}

/** Outgoing calls and open connections: the charts, both tables, and a phone that shows them. */
async function calls(browser, seen) {
  const page = await open(browser, seen);
  await live(page);
  const result = { charts: await charts(page) };
  for (const by of ["peer", "connection"]) result[by] = await tableOf(page, by);
  result.cells = await page.locator("#rows tbody tr").evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
  result.note = await page.locator("#rows-note").textContent();
  // The first column that only connections have sorts, by keyboard.
  await page.locator("#rows thead [data-sort=age]").focus();
  await after(page, () => page.keyboard.press("Enter"));
  result.ariaSort = await page.locator("#rows th[aria-sort]").getAttribute("aria-sort");
  await page.setViewportSize({ width: 390, height: 844 });
  result.wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  result.violations = await page.evaluate(() => window.violations);
  await page.context().close();
  return result;
}

const LINES = 16;

/** As many lines in one chart as there can be: what each looks like, in the chart and in its legend. */
async function lines(page) {
  await page.route("**/api/v1/overview*", async (route) => {
    const response = await route.fetch();
    const overview = await response.json();
    const panel = overview.panels.find((panel) => panel.id === "queues");
    panel.series = Array.from({ length: LINES }, (_, number) => ({ name: `queue ${number}`, values: Array(overview.points).fill(number) }));
    delete panel.empty;
    await route.fulfill({ response, json: overview });
  });
  await page.reload();
  await page.locator("[data-panel=queues] .legend li").nth(LINES - 1).waitFor();
  return page.evaluate(() => {
    const looks = (what, ...properties) => [...document.querySelectorAll(`[data-panel=queues] ${what}`)]
      .map((element) => properties.map((property) => getComputedStyle(element)[property]).join(" "));
    return { chart: looks("path", "stroke", "strokeDasharray"), legend: looks(".legend .swatch", "backgroundColor", "maskImage") };
  });
}

/** Themes and widths: colours differ, nothing is wider than the screen. */
async function sizes(browser, seen) {
  const result = {};
  for (const [name, width, colorScheme] of [["light", 1440, "light"], ["dark", 1440, "dark"], ["phone", 390, "light"], ["narrow", 320, "dark"]]) {
    const page = await open(browser, seen, { viewport: { width, height: 844 }, colorScheme });
    await live(page);
    result[name] = await page.evaluate(() => ({
      background: getComputedStyle(document.documentElement).backgroundColor,
      wider: document.documentElement.scrollWidth - window.innerWidth,
    }));
    if (width === 1440) result[name].lines = await lines(page);
    await page.context().close();
  }
  return result;
}

/** Many accounts: what the page weighs, and how one is found among them. */
async function many(browser, seen) {
  const page = await open(browser, seen);
  await live(page);
  const result = { rows: (await rows(page)).length, all: await page.locator("#rows tfoot td").first().textContent() };
  result.bodies = seen.bodies.filter(([address]) => address.includes("/api/"));
  result.elements = await page.evaluate(() => document.querySelectorAll("*").length);
  const field = page.locator("#filter-main_account");
  await field.focus();
  await page.keyboard.type("account-777");
  await page.waitForFunction(() => [...document.querySelectorAll("#list-main_account option")].some((option) => option.value === "account-7777"));
  result.suggested = await page.locator("#list-main_account option").count();
  await page.keyboard.type("7");
  await after(page, () => page.keyboard.press("Enter"));
  await page.waitForFunction(() => document.querySelectorAll("#rows tbody tr").length === 1);
  result.found = await rows(page);
  await page.context().close();

  // The first picture does not wait for the numbers.
  const context = await browser.newContext();
  const waiting = await context.newPage();
  await waiting.route("**/api/**", () => {});
  await waiting.goto(url, { waitUntil: "load" });
  // The browser notes its first picture a frame after it has loaded.
  await waiting.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length === 1);
  result.skeleton = await waiting.evaluate(() => ({
    title: document.querySelector("h1").textContent,
    painted: performance.getEntriesByName("first-contentful-paint").length,
    status: document.getElementById("status").textContent.trim(),
  }));
  await context.close();
  return result;
}

const SCENARIOS = { look, calls, sizes, many };

(async () => {
  const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
  const seen = { console: [], requests: [], bodies: [], text: [] };
  try {
    const result = await SCENARIOS[scenario](browser, seen);
    console.log(JSON.stringify({ console: seen.console, ...result, requests: seen.requests }));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
