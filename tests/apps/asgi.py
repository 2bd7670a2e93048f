"""A plain ASGI app whose paths say what to answer, and which logs the truth about every request.

One JSON line per request goes to $TRUTH_LOG in one write (O_APPEND), so several workers share the file.
"""

import asyncio
import json
import os

TRUTH = os.open(os.environ["TRUTH_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if "TRUTH_LOG" in os.environ else None


def log_truth(scope, **fields):
    if TRUTH is not None:
        line = {"pid": os.getpid(), "method": scope["method"], "path": scope["path"], **fields}
        os.write(TRUTH, (json.dumps(line) + "\n").encode())


async def read_body(receive):
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return total, True
        total += len(message.get("body", b""))
        if not message.get("more_body"):
            return total, False


class Answer:
    """Sends and counts."""

    def __init__(self, send):
        self.send, self.body_out, self.status = send, 0, 0

    async def start(self, status, headers=()):
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": [(k.encode(), v.encode()) for k, v in headers]})

    async def body(self, data=b"", more=False):
        self.body_out += len(data)
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def whole(self, status, data=b""):
        await self.start(status, [("content-length", str(len(data)))])
        await self.body(data)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    kind, *args = scope["path"].strip("/").split("/")
    answer, body_in, gone = Answer(send), 0, False
    try:
        if kind == "early":  # answers without reading the body
            await answer.whole(int(args[0]), b"no")
            return
        body_in, gone = await read_body(receive)
        if gone:
            return
        if kind == "bytes":
            await answer.whole(200, b"b" * int(args[0]))
        elif kind == "chunks":  # /chunks/<count>/<size>
            await answer.start(200)
            for _ in range(int(args[0])):
                await answer.body(b"c" * int(args[1]), more=True)
            await answer.body()
        elif kind == "sleep":  # /sleep/<milliseconds>
            await asyncio.sleep(int(args[0]) / 1000)
            await answer.whole(200, b"slept")
        elif kind == "trickle":  # /trickle/<pieces>/<milliseconds between>
            await answer.start(200, [("content-length", str(int(args[0]) * 10))])
            for piece in range(int(args[0])):
                if piece:
                    await asyncio.sleep(int(args[1]) / 1000)
                await answer.body(b"t" * 10, more=True)
            await answer.body()
        elif kind == "status":
            code = int(args[0])
            await answer.start(code, [] if code in (204, 304) else [("content-length", "0")])
            await answer.body()
        elif kind == "abort":  # announces more than it sends
            await answer.start(200, [("content-length", str(int(args[0]) * 2))])
            await answer.body(b"a" * int(args[0]), more=True)
            raise RuntimeError("abort as asked")
        else:
            await answer.whole(200, json.dumps({"received": body_in}).encode())
    finally:
        log_truth(scope, body_in=body_in, body_out=answer.body_out, status=answer.status, gone=gone)
