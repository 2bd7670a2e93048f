// s3rver with several accounts: node s3_server.js <modules> <port> <folder> <key:secret>...
const path = require("path");
const [modules, port, directory, ...accounts] = process.argv.slice(2);
const load = (name) => require(path.join(modules, "node_modules", "s3rver", name));
const S3rver = load("");
const Account = load("lib/models/account");
accounts.forEach((pair, index) => {
  const [key, secret] = pair.split(":"); // neither holds a colon: keys are base64 or plain words
  new Account(`tester-${index}`, `tester ${index}`).createKeyPair(key, secret);
});
new S3rver({ address: "127.0.0.1", port: Number(port), directory, silent: true, allowMismatchedSignatures: false })
  .run()
  .catch((error) => { console.error(error); process.exit(1); });
