"""The HTTP service: takes batches, gives the list of shared bad sources, and lends its engine to the other commands.

    POST /fwstat/v1/batch    a batch; 204 stored, 400 unreadable, 401 no token, 413 too large, 422 refused, 503 try again
    GET  /fwstat/v1/shared   the list of shared bad sources, for routers with a token
    GET  /fwstat/v1/health   204 if the engine answers
    POST /sql                through the socket in the directory alone
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from . import store
from .batch import MAX_COMPRESSED, BatchError, check
from .engine import SOCKET, EngineError

log = logging.getLogger("fwstat-fleet")
# ClickHouse's numbers for what the batch itself is to blame for: constraints and values that cannot be read.
REFUSED = {6, 27, 38, 41, 72, 117, 441, 469, 675, 676}


class Service:
    """`proxy`: a proxy before this service checks tokens and names the router in X-Fwstat-Router."""

    def __init__(self, engine, registry, proxy=False, shared=(2, 3, 4096)):
        self.engine, self.registry, self.proxy, self.shared = engine, registry, proxy, shared
        self.rolling = threading.Lock()
        # The largest batch takes some 50 MB while it is checked.
        self.checking = asyncio.Semaphore(4)

    def router(self, request):
        """Who asks; never from the body."""
        if not self.proxy:
            return self.registry.router_of(request.headers.get("authorization", ""))
        names = request.headers.getlist("x-fwstat-router")
        if len(names) == 1 and names[0].isascii() and names[0].isdigit() and 0 < int(names[0]) < 1 << 32:
            return int(names[0])
        return None

    async def batch(self, request):
        router = self.router(request)
        if router is None:
            return PlainTextResponse("no token of this fleet\n", 401, {"WWW-Authenticate": "Bearer"})
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > MAX_COMPRESSED:
                    return PlainTextResponse(f"more than {MAX_COMPRESSED} bytes\n", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        try:
            async with self.checking:
                await run_in_threadpool(self.take, router, bytes(body))
        except BatchError as error:
            log.warning("router %d: batch refused: %s", router, error)
            return PlainTextResponse(f"{error}\n", error.status)
        except EngineError as error:
            log.error("router %d: batch not stored: %s", router, error)
            return PlainTextResponse("not stored\n", 503)
        return Response(status_code=204)

    def take(self, router, body):
        rows = check(body, router)
        try:
            store.insert(self.engine, rows)
        except EngineError as error:
            if error.code in REFUSED:
                raise BatchError(422, f"refused by the engine, code {error.code}") from None
            raise

    async def shared_list(self, request):
        if self.router(request) is None:
            return PlainTextResponse("no token of this fleet\n", 401, {"WWW-Authenticate": "Bearer"})
        try:
            return PlainTextResponse(await run_in_threadpool(store.shared_list, self.engine, *self.shared))
        except EngineError as error:
            log.error("no list of shared sources: %s", error)
            return PlainTextResponse("no list now\n", 503)

    async def health(self, request):
        try:
            await run_in_threadpool(self.engine.query, "SELECT 1")
        except EngineError:
            return Response(status_code=503)
        return Response(status_code=204)

    async def sql(self, request):
        # A Unix socket has a path and no port (ASGI), and its other end no address.
        server = request.scope.get("server")
        if not server or server[1] is not None or request.scope.get("client") is not None:
            return Response(status_code=404)
        asked = json.loads(await request.body())
        try:
            text = await run_in_threadpool(self.engine.query, asked["sql"], asked["parameters"], asked["form"])
        except EngineError as error:
            return PlainTextResponse(str(error), 400)
        return PlainTextResponse(text)

    def roll(self):
        """One roll-up at a time; what goes wrong is tried again by the next."""
        with self.rolling:
            try:
                self.registry.write_table(self.engine)
                _, expired = store.rollup(self.engine)
            except Exception as error:  # whatever it is, the next roll-up must come
                log.error("roll-up failed: %s: %s", type(error).__name__, error)
                return
        if expired:
            log.warning("not rolled up, because pairs of theirs have expired: %s", ", ".join(expired))

    def app(self):
        return Starlette(
            routes=[
                Route("/fwstat/v1/batch", self.batch, methods=["POST"]),
                Route("/fwstat/v1/shared", self.shared_list, methods=["GET"]),
                Route("/fwstat/v1/health", self.health, methods=["GET"]),
                Route("/sql", self.sql, methods=["POST"]),
            ]
        )


def bind(directory, host, port):
    """The sockets to serve: TCP, and one in the directory for the other commands of the same user."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind((host, port))
    path = os.path.join(directory, SOCKET)
    if os.path.exists(path):
        os.unlink(path)
    local = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        local.bind(path)
    finally:
        os.umask(before)
    return [tcp, local]


def run(service, directory, host, port, every):
    """Serves until SIGTERM or SIGINT. Roll-ups are made every `every` seconds; 0: never."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    sockets = bind(directory, host, port)
    config = uvicorn.Config(service.app(), log_level="warning", access_log=False, timeout_keep_alive=30, proxy_headers=False)
    server = uvicorn.Server(config)

    async def rolling():
        while every:
            await run_in_threadpool(service.roll)
            await asyncio.sleep(every)

    async def both():
        task = asyncio.create_task(rolling())
        await server.serve(sockets=sockets)
        task.cancel()

    # uvicorn raises the signal that ended it once more; the engine is to be closed in peace after that.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    log.info("listening on %s, port %d", host, sockets[0].getsockname()[1])
    try:
        asyncio.run(both())
    finally:
        os.unlink(os.path.join(directory, SOCKET))
