"""A client of Redis that does what the workers do, and prints what it has done as JSON.

Usage: wire_redis.py PORT PROTOCOL
"""

import json
import sys
import threading
import time

import redis
from redis.maint_notifications import MaintNotificationsConfig

SECRET = "seed phrase of nobody at all 5ec7e7"


def main() -> None:
    port, protocol = int(sys.argv[1]), int(sys.argv[2])
    # Without the sub-commands of CLIENT that Redis 7.0 does not know and so does not count.
    plain = {"port": port, "protocol": protocol, "lib_name": None, "lib_version": None}
    plain["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    client = redis.Redis(**plain, socket_timeout=30)
    pushed, popped, dwell = {}, {}, []

    def count(table, queue, items=1):
        table[queue] = table.get(queue, 0) + items

    # Calls one by one, among them errors.
    for number in range(200):
        client.set(f"key:{SECRET}:{number}", SECRET * (number % 50))
        client.get(f"key:{SECRET}:{number}")
    client.lpush("not-a-queue", SECRET)
    for _ in range(7):
        try:
            client.incr("not-a-queue")
        except redis.ResponseError:
            pass

    # A value that takes many calls, both ways.
    client.set("big", b"*1\r\n$4\r\nPING\r\n" * 200_000)
    assert len(client.get("big")) == 2_800_000

    # Pipelines, with a transaction and without.
    for transaction in (True, False):
        pipe = client.pipeline(transaction=transaction)
        for number in range(100):
            pipe.rpush("jobs", f"{SECRET} {transaction} {number}")
            pipe.hset("hash", f"{number}", SECRET)
        pipe.execute()
        count(pushed, "jobs", 100)

    # A worker that waits while items come, and knows when each was pushed.
    waiting = redis.Redis(**plain, socket_timeout=60)
    times, done = {}, threading.Event()

    def worker():
        while True:
            _, item = waiting.brpop(["waited", "stop"], timeout=30)
            if item == b"stop":
                break
            dwell.append(time.monotonic() - times[item.decode()])
        done.set()

    thread = threading.Thread(target=worker)
    thread.start()
    for number in range(50):
        item = f"{SECRET} waited {number}"
        times[item] = time.monotonic()
        client.lpush("waited", item)
        count(pushed, "waited")
        if number % 10 == 0:
            time.sleep(0.02)
    client.lpush("stop", "stop")
    assert done.wait(30)
    thread.join()
    count(popped, "waited", 50)

    # Items that lie for a while, then go in several ways.
    time.sleep(0.3)
    while client.lpop("jobs", 30):
        pass
    count(popped, "jobs", 200)
    client.lpush("jobs", *[f"{SECRET} many {number}" for number in range(20)])
    count(pushed, "jobs", 20)
    for _ in range(20):
        client.rpoplpush("jobs", "moved")
    count(popped, "jobs", 20)
    count(pushed, "moved", 20)
    client.zadd("retries", {f"{SECRET} {number}": number for number in range(30)})
    client.zadd("retries", {f"{SECRET} {number}": number + 1 for number in range(40)})
    count(pushed, "retries", 40)
    client.zpopmin("retries", 10)
    client.zrem("retries", *[f"{SECRET} {number}" for number in range(20, 45)])
    client.bzpopmin("retries", timeout=1)
    count(popped, "retries", 31)
    client.xgroup_create("stream", "group", id="0", mkstream=True)
    for number in range(25):
        client.xadd("stream", {"value": SECRET})
    count(pushed, "stream", 25)
    client.xreadgroup("group", "me", {"stream": ">"}, count=15, block=100)
    client.xreadgroup("group", "me", {"stream": "0"})
    count(popped, "stream", 15)

    # Messages answer nothing.
    subscriber = redis.Redis(**plain)
    channel = subscriber.pubsub()
    channel.subscribe("news", "other")
    channel.psubscribe("n*")
    for _ in range(3):
        assert channel.get_message(timeout=10)["type"].endswith("subscribe")
    for number in range(20):
        client.publish("news", f"{SECRET} {number}")
    for _ in range(40):
        assert channel.get_message(timeout=10)["type"].endswith("message")
    channel.unsubscribe()
    channel.punsubscribe()
    for _ in range(3):
        assert "unsubscribe" in channel.get_message(timeout=10)["type"]
    channel.close()
    for closing in (client, waiting, subscriber):
        closing.close()
    print(json.dumps({"pushed": pushed, "popped": popped, "dwell": dwell}))


main()
