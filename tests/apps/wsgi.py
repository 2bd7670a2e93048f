"""The part of asgi.py that a plain WSGI server can answer, with the same log of the truth."""

import json
import os

TRUTH = os.open(os.environ["TRUTH_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def app(environ, start_response):
    body_in = len(environ["wsgi.input"].read())
    kind, *args = environ["PATH_INFO"].strip("/").split("/")
    status, body = 200, b""
    if kind == "bytes":
        body = b"b" * int(args[0])
    elif kind == "status":
        status = int(args[0])
    else:
        body = json.dumps({"received": body_in}).encode()
    line = {"pid": os.getpid(), "method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"], "body_in": body_in}
    line |= {"body_out": len(body), "status": status}
    os.write(TRUTH, (json.dumps(line) + "\n").encode())
    start_response(f"{status} As asked", [("Content-Length", str(len(body)))])
    return [body]
