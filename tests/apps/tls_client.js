// Node's https client over several connections at once; the same rules as tls_client.py.
const https = require("https");
const readline = require("readline");

const [url, connections, requests] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

const methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "GET", "POST"];
const statuses = [200, 201, 202, 203, 404, 409, 410, 418];

function ask(agent, connection, path) {
  return new Promise((resolve, reject) => {
    const options = { agent, method: methods[connection], rejectUnauthorized: false };
    const request = https.request(url + path, options, (answer) => {
      let body = "";
      answer.on("data", (piece) => (body += piece));
      answer.on("end", () => resolve(answer.statusCode === statuses[connection] && body === path));
    });
    request.on("error", reject);
    request.end();
  });
}

async function one(connection) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  let right = 0;
  for (let number = 0; number < requests; number++) {
    right += Number(await ask(agent, connection, `/mark/c${connection}/${number}`));
  }
  agent.destroy();
  return right;
}

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
(async () => {
  console.log("ready");
  await lines.next();
  const all = await Promise.all(Array.from({ length: connections }, (_, connection) => one(connection)));
  console.log(all.reduce((sum, right) => sum + right, 0));
  await lines.next();
  process.exit(0);
})();
