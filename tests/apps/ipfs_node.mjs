// An IPFS node (ipfs-core) that speaks kubo's HTTP API, alone on this host: ipfs_node.mjs API_PORT GATEWAY_PORT FOLDER
// Evaluated in the folder of its modules, where imports begin to look.

// Newer than the Node of Debian; one of the modules needs it.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
};

const [api, gateway, repo] = process.argv.slice(-3);
const { create } = await import("ipfs-core");
const { HttpApi } = await import("ipfs-http-server");
const { HttpGateway } = await import("ipfs-http-gateway");

const address = (port) => `/ip4/127.0.0.1/tcp/${port}`;
const config = {
  Addresses: { Swarm: [], API: address(api), Gateway: address(gateway) },
  Bootstrap: [],
  Discovery: { MDNS: { Enabled: false }, webRTCStar: { Enabled: false } },
};
const node = await create({ repo, config, offline: true, silent: true });
await new HttpGateway(node).start();
await new HttpApi(node).start();
