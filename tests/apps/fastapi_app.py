"""What a small FastAPI service looks like: the benchmark's server at saturation."""

from fastapi import FastAPI, Request, Response

app = FastAPI()
BODY = b"x" * 1024


@app.middleware("http")
async def authenticate(request: Request, call_next):
    request.state.account = request.headers.get("authorization", "anonymous")
    return await call_next(request)


@app.get("/{path:path}")
async def read(path: str):
    return Response(BODY, media_type="application/octet-stream")


@app.put("/{path:path}")
async def write(path: str, request: Request):
    return Response(status_code=200, headers={"etag": str(len(await request.body()))})
