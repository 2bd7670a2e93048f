"""Nanoseconds for each call of SSL_write_ex and SSL_read_ex with 1 KiB, between two ends in memory: prints one number."""

import ssl
import sys
import time

CERTIFICATE, KEY, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
PIECE = b"x" * 1024

server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(CERTIFICATE, KEY)
client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client_context.check_hostname = False
client_context.verify_mode = ssl.CERT_NONE

there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
client = client_context.wrap_bio(back, there, server_hostname="localhost")
server = server_context.wrap_bio(there, back, server_side=True)
done = set()
while len(done) < 2:
    for end in (client, server):
        try:
            end.do_handshake()
            done.add(end)
        except ssl.SSLWantReadError:
            pass

# As a request would, so that the session is followed; then a body that runs on.
client.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n")
server.read(4096)
print("ready", flush=True)
sys.stdin.readline()
begin = time.perf_counter_ns()
for _ in range(COUNT):
    client.write(PIECE)
    server.read(4096)
print((time.perf_counter_ns() - begin) // (2 * COUNT), flush=True)
