// Calls made with Node's fetch: node_calls.js COUNT URL WARMUP_URL FILE
// Until FILE exists, it only asks for WARMUP_URL.
const fs = require("node:fs");
const [count, url, warmup, file] = process.argv.slice(2);

(async () => {
  while (!fs.existsSync(file)) {
    await (await fetch(warmup)).arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let round = 0; round < Number(count) / 10; round++) {
    const calls = Array.from({ length: 10 }, () => fetch(url).then((answer) => answer.arrayBuffer()));
    await Promise.all(calls);
  }
})();
