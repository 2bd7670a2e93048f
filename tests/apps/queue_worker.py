"""What the API and its workers of 2025 do behind a request: queue_worker.py SETTINGS [ITEMS]

SETTINGS is JSON: redis, api, gateway (ports), postgres, http, tls (addresses). Each item goes through the queues that
the workers have: an upload is pushed, popped and stored in IPFS, every third one only after a retry from the sorted set;
then it is downloaded through the gateway and unpinned. Every item also asks the database, an HTTP service and one behind
TLS. Endless without ITEMS; with them, a JSON line says how often everything was done.
"""

import asyncio
import collections
import json
import sys
import threading
import time

import asyncpg
import httpx
import redis
from redis.maint_notifications import MaintNotificationsConfig

SETTINGS = json.loads(sys.argv[1])
ITEMS = int(sys.argv[2]) if len(sys.argv) > 2 else None
API, GATEWAY = (f"http://127.0.0.1:{SETTINGS[name]}" for name in ("api", "gateway"))
# The last item through a queue ends its worker.
END = b"end"
# Lists, taken from the other end than they are pushed at, and a sorted set whose score is when to try again.
UPLOADS, DOWNLOADS, UNPINS, RETRIES = "upload_requests", "download_requests", "unpin_requests", "upload_retries"

done = collections.Counter()
lock = threading.Lock()


def count(what, number=1):
    with lock:
        done[what] += number


def connect():
    quiet = MaintNotificationsConfig(enabled=False)
    return redis.Redis(port=SETTINGS["redis"], socket_timeout=60, maint_notifications_config=quiet)


def push(client, queue, item):
    client.lpush(queue, item if isinstance(item, bytes) else json.dumps(item))
    count(f"in {queue}")


def items(client, queue):
    """Waits for one item after the other. What somebody else has put there is no item."""
    while True:
        popped = client.brpop(queue, timeout=1)
        if popped is None:
            continue
        count(f"out {queue}")
        if popped[1] == END:
            return
        try:
            item = json.loads(popped[1])
        except ValueError:
            item = None
        if isinstance(item, dict) and "number" in item:
            yield item


def peers(http):
    """What a request asks of others."""
    http.get(SETTINGS["http"])
    http.get(SETTINGS["tls"])
    count("http")


async def producer():
    """The API: asks the database, and leaves the rest to the workers."""
    client, http = connect(), httpx.Client(trust_env=False, timeout=60, verify=False)
    database = await asyncpg.connect(SETTINGS["postgres"])
    number = 0
    while ITEMS is None or number < ITEMS:
        await database.fetchval("SELECT count(*) FROM objects WHERE size_bytes > $1", number)
        count("select")
        item = {"number": number, "first_enqueued_at": time.time()}
        if number % 3 == 2:
            client.zadd(RETRIES, {json.dumps(item): time.time()})
            count(f"in {RETRIES}")
        else:
            push(client, UPLOADS, item)
        peers(http)
        number += 1
        time.sleep(0.25 if ITEMS is None else 0.02)
    await database.close()


def mover():
    """Brings what is due from the sorted set to the list."""
    client, moved = connect(), 0
    while ITEMS is None or moved < ITEMS // 3:
        for member in client.zrangebyscore(RETRIES, "-inf", time.time(), start=0, num=10):
            # What others have put there stays.
            if member.startswith(b"{") and client.zrem(RETRIES, member):
                count(f"out {RETRIES}")
                push(client, UPLOADS, json.loads(member))
                moved += 1
        time.sleep(1.0 if ITEMS is None else 0.05)


def pinner():
    client, http = connect(), httpx.Client(trust_env=False, timeout=60)
    for item in items(client, UPLOADS):
        body = f"object {item['number']}\n".encode() * 100
        added = http.post(f"{API}/api/v0/add", params={"cid-version": 1}, files={"file": body})
        cid = json.loads(added.text.splitlines()[-1])["Hash"]
        http.post(f"{API}/api/v0/pin/add", params={"arg": cid}).raise_for_status()
        count("pinned")
        push(client, DOWNLOADS, {**item, "cid": cid})
    push(client, DOWNLOADS, END)


def downloader():
    client, http = connect(), httpx.Client(trust_env=False, timeout=60)
    for item in items(client, DOWNLOADS):
        http.get(f"{GATEWAY}/ipfs/{item['cid']}").raise_for_status()
        http.post(f"{API}/api/v0/cat", params={"arg": item["cid"]}).raise_for_status()
        count("downloaded")
        push(client, UNPINS, item)
    push(client, UNPINS, END)


def unpinner():
    client, http = connect(), httpx.Client(trust_env=False, timeout=60)
    for item in items(client, UNPINS):
        http.post(f"{API}/api/v0/pin/rm", params={"arg": item["cid"]}).raise_for_status()
        # No longer pinned: the node refuses.
        assert http.post(f"{API}/api/v0/pin/rm", params={"arg": item["cid"]}).status_code == 500
        count("unpinned")


def main():
    # A program that ends because one of its threads has failed shows it; one that goes on hides it.
    failed = threading.Event()
    threading.excepthook = lambda arguments: (sys.__excepthook__(*arguments[:3]), failed.set())
    threads = [threading.Thread(target=worker, daemon=True) for worker in (mover, pinner, downloader, unpinner)]
    for thread in threads:
        thread.start()
    asyncio.run(producer())
    threads[0].join()
    push(connect(), UPLOADS, END)
    for thread in threads[1:]:
        thread.join()
    print(json.dumps(done), flush=True)
    sys.exit(failed.is_set())


main()
