"""A worker that stores and reads through an IPFS node: ipfs_worker.py API_PORT GATEWAY_PORT OTHER_URL ROUNDS

What pinner, downloader and unpinner of 2025 do, with the client that they use. It begins at the end of its input.
"""

import json
import sys

import httpx

api, gateway = (f"http://127.0.0.1:{port}" for port in sys.argv[1:3])
other, rounds = sys.argv[3], int(sys.argv[4])
client = httpx.Client(trust_env=False, timeout=60)
sys.stdin.readline()
for number in range(rounds):
    body = f"object {number}\n".encode() * 100
    added = client.post(f"{api}/api/v0/add", params={"cid-version": 1}, files={"file": body})
    cid = json.loads(added.text.splitlines()[-1])["Hash"]
    client.post(f"{api}/api/v0/pin/add", params={"arg": cid}).raise_for_status()
    assert client.post(f"{api}/api/v0/cat", params={"arg": cid}).content == body
    assert client.get(f"{gateway}/ipfs/{cid}").content == body
    client.post(f"{api}/api/v0/pin/rm", params={"arg": cid}).raise_for_status()
    # No longer pinned: the node refuses.
    assert client.post(f"{api}/api/v0/pin/rm", params={"arg": cid}).status_code == 500
    client.get(other)
