"""A media server that takes publishers by WHIP (RFC 9725), on aiortc: it decodes what it gets, and tells what that is.

`GET /test/state` says how much of it came, the colours of two points of a late picture, how loud the last sound was, and what
was asked. `TOKEN` is the token that it wants, if any. It prints its address.
"""

import asyncio
import os
import secrets

from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

TOKEN = os.environ.get("TOKEN")
sessions: dict[str, RTCPeerConnection] = {}
asked: list[list] = []
state = {"pictures": 0, "sounds": 0, "size": None, "colours": None, "level": None}


def refusal(request) -> web.Response | None:
    asked.append([request.method, request.path, dict(request.headers)])
    if TOKEN and request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return web.Response(status=401, text="who are you?")
    return None


async def watch(track):
    try:
        while True:
            frame = await track.recv()
            if track.kind == "video":
                state["pictures"] += 1
                state["size"] = [frame.width, frame.height]
                if state["pictures"] % 5 == 0:
                    picture = frame.to_ndarray(format="rgb24")
                    height, width, _ = picture.shape
                    points = [(0.5 / 7, 0.3), (5.5 / 7, 0.3)]
                    state["colours"] = [picture[int(y * height)][int(x * width)].tolist() for x, y in points]
            else:
                state["sounds"] += 1
                state["level"] = int(abs(frame.to_ndarray().astype("int32")).max())
    except MediaStreamError:
        pass


async def publish(request):
    refused = refusal(request)
    if refused is not None:
        return refused
    if request.headers["Content-Type"] != "application/sdp":
        return web.Response(status=415)
    if sessions:
        return web.Response(status=403, text="in use")
    connection = RTCPeerConnection()
    name = secrets.token_hex(4)
    connection.on("track", lambda track: asyncio.ensure_future(watch(track)))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=await request.text(), type="offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    sessions[name] = connection
    headers = {"Location": f"../session/{name}", "ETag": name}
    return web.Response(status=201, text=connection.localDescription.sdp, content_type="application/sdp", headers=headers)


async def end(request):
    refused = refusal(request)
    if refused is not None:
        return refused
    connection = sessions.pop(request.match_info["name"], None)
    if connection is None:
        return web.Response(status=404)
    await connection.close()
    return web.Response(status=200)


async def answer_state(request):
    return web.json_response({**state, "sessions": list(sessions), "asked": asked})


async def main():
    app = web.Application()
    app.add_routes([
        web.post("/whip/endpoint", publish),
        web.delete("/session/{name}", end),
        web.get("/test/state", answer_state),
    ])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(os.environ.get("PORT", "0")))
    await site.start()
    print(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
