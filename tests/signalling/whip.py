"""A media server that takes publishers by WHIP (RFC 9725), on aiortc: it decodes what it gets, and tells what that is.

`GET /test/state` says how much of it came, the colours of two points of a late picture, how loud the last sound was, what was
asked, which candidates it was told by PATCH, and from where the media of the last session come. `TOKEN` is the token that it
wants, if any; `LINKS` the `Link` headers that it sends, a JSON list; with `TRICKLES` it takes candidates. It prints its address,
which is at `HOST`.
"""

import asyncio
import json
import os
import secrets

from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp
from multidict import CIMultiDict

TOKEN = os.environ.get("TOKEN")
HOST = os.environ.get("HOST", "127.0.0.1")
LINKS = json.loads(os.environ.get("LINKS", "[]"))
TRICKLES = "TRICKLES" in os.environ
sessions: dict[str, RTCPeerConnection] = {}
asked: list[list] = []
told: list[str] = []
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
    headers = CIMultiDict({"Location": f"../session/{name}", "ETag": name})
    for link in LINKS:
        headers.add("Link", link)
    return web.Response(status=201, text=connection.localDescription.sdp, content_type="application/sdp", headers=headers)


async def trickle(request):
    refused = refusal(request)
    if refused is not None:
        return refused
    connection = sessions.get(request.match_info["name"])
    if not TRICKLES or connection is None:
        return web.Response(status=404 if TRICKLES else 405)
    if request.headers["Content-Type"] != "application/trickle-ice-sdpfrag":
        return web.Response(status=415)
    for line in (await request.text()).splitlines():
        if line.startswith("a=candidate:"):
            told.append(line.removeprefix("a="))
            candidate = candidate_from_sdp(line.removeprefix("a=candidate:"))
            candidate.sdpMLineIndex = 0
            await connection.addIceCandidate(candidate)
    return web.Response(status=204)


async def end(request):
    refused = refusal(request)
    if refused is not None:
        return refused
    connection = sessions.pop(request.match_info["name"], None)
    if connection is None:
        return web.Response(status=404)
    await connection.close()
    return web.Response(status=200)


def media_come_from():
    """The address at the other end of the path of the last session, if there is one."""
    for connection in reversed(list(sessions.values())):
        for receiver in connection.getReceivers():
            # aiortc has no public way to ask for it.
            pair = receiver.transport.transport._connection._nominated.get(1)
            if pair:
                return list(pair.remote_addr)
    return None


async def answer_state(request):
    seen = {**state, "sessions": list(sessions), "asked": asked, "told": told, "from": media_come_from()}
    return web.json_response(seen)


async def main():
    app = web.Application()
    app.add_routes([
        web.post("/whip/endpoint", publish),
        web.patch("/session/{name}", trickle),
        web.delete("/session/{name}", end),
        web.get("/test/state", answer_state),
    ])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, int(os.environ.get("PORT", "0")))
    await site.start()
    print(f"http://{HOST}:{site._server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
