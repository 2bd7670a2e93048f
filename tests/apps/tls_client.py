"""HTTPS clients, each over several connections at once. Waits for a line on its input, so that it can be watched before it
begins; then prints how many answers were right.

usage: tls_client.py KIND URL CONNECTIONS REQUESTS

Connection number n asks for URL/mark/cn/i with a method and expects a status of its own, and that path as the body.
"""

import asyncio
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

KIND, URL, CONNECTIONS, REQUESTS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "GET", "POST"]
STATUSES = [200, 201, 202, 203, 404, 409, 410, 418]

TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


def path(connection, number):
    return f"/mark/c{connection}/{number}"


async def httpx_async(connection):
    import httpx

    right = 0
    async with httpx.AsyncClient(verify=TRUSTING, limits=httpx.Limits(max_connections=1), timeout=300) as client:
        for number in range(REQUESTS):
            answer = await client.request(METHODS[connection], URL + path(connection, number))
            right += answer.status_code == STATUSES[connection] and answer.text == path(connection, number)
    return right


async def aiohttp_async(connection):
    import aiohttp

    right = 0
    connector = aiohttp.TCPConnector(limit=1, ssl=TRUSTING)
    async with aiohttp.ClientSession(connector=connector) as session:
        for number in range(REQUESTS):
            async with session.request(METHODS[connection], URL + path(connection, number)) as answer:
                right += answer.status == STATUSES[connection] and await answer.text() == path(connection, number)
    return right


async def streams_async(connection):
    """asyncio alone, without an HTTP library: a whole request is one write, so that many fit into a test."""
    host, port = URL.removeprefix("https://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=TRUSTING, server_hostname=host)
    right = 0
    for number in range(REQUESTS):
        wanted = path(connection, number)
        method = METHODS[connection]
        writer.write(f"{method} {wanted} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        right += int(head[9:12]) == STATUSES[connection] and await reader.readexactly(length) == wanted.encode()
    writer.close()
    await writer.wait_closed()
    return right


def requests_sync(connection):
    import requests
    import urllib3

    urllib3.disable_warnings()
    right = 0
    with requests.Session() as session:
        for number in range(REQUESTS):
            answer = session.request(METHODS[connection], URL + path(connection, number), verify=False)
            right += answer.status_code == STATUSES[connection] and answer.text == path(connection, number)
    return right


def urllib_sync(connection):
    import urllib.request

    right = 0
    for number in range(REQUESTS):
        request = urllib.request.Request(URL + path(connection, number), method=METHODS[connection])
        with urllib.request.urlopen(request, context=TRUSTING) as answer:
            right += answer.status == STATUSES[connection] and answer.read().decode() == path(connection, number)
    return right


async def together(client):
    return sum(await asyncio.gather(*(client(connection) for connection in range(CONNECTIONS))))


def main():
    library, _, loop = KIND.partition("+")
    client = {
        "httpx": httpx_async,
        "aiohttp": aiohttp_async,
        "streams": streams_async,
        "requests": requests_sync,
        "urllib": urllib_sync,
    }[library]
    print("ready", flush=True)
    sys.stdin.readline()
    if asyncio.iscoroutinefunction(client):
        if loop == "uvloop":
            import uvloop

            right = uvloop.run(together(client))
        else:
            right = asyncio.run(together(client))
    else:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            right = sum(pool.map(client, range(CONNECTIONS)))
    print(right, flush=True)
    # Stays until the metrics were read: what it uses shall be seen to be used.
    sys.stdin.readline()


main()
