"""An ASGI app that makes one call for each request, with the library that the path names: /LIBRARY/METHOD?URL.

A request's ray id goes on with the call.
"""

import asyncio

import aiohttp
import httpx
import requests

CLIENTS = {}


async def with_httpx(method, url, headers):
    client = CLIENTS.setdefault("httpx", httpx.AsyncClient(trust_env=False, timeout=30))
    return (await client.request(method, url, headers=headers)).status_code


async def with_aiohttp(method, url, headers):
    if "aiohttp" not in CLIENTS:
        CLIENTS["aiohttp"] = aiohttp.ClientSession()
    async with CLIENTS["aiohttp"].request(method, url, headers=headers) as response:
        await response.read()
        return response.status


async def with_requests(method, url, headers):
    session = CLIENTS.setdefault("requests", requests.Session())
    session.trust_env = False
    answer = await asyncio.get_running_loop().run_in_executor(None, lambda: session.request(method, url, headers=headers, timeout=30))
    return answer.status_code


LIBRARIES = {"httpx": with_httpx, "aiohttp": with_aiohttp, "requests": with_requests}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await receive()
    _, library, method = scope["path"].split("/")
    rays = {name.decode(): value.decode() for name, value in scope["headers"] if name == b"x-hippius-ray-id"}
    status = await LIBRARIES[library](method, scope["query_string"].decode(), rays)
    headers = [(b"content-length", b"3")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(status).encode()})
