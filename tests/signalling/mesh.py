"""A signalling server of the dialect "mesh" (docs/signalling.md), as deployed ones are: on python-socketio, relays to any
target, checks nothing, has no limit, and notices a cut connection when pings stay away.

Prints its origin. `GET /test/said` lists what participants said, `GET /test/users?room=ROOM` who is in a room.

Environment: HOST and PORT, where it listens; NAMES, a preset of the names: usual, underscore or hyphen; EXISTING_FIRST=1 tells the newcomer who is
there before it tells those of the newcomer; PING_SECONDS, how often it pings; DELAY_MS, how long it keeps what it relays.
"""

import asyncio
import datetime
import os

import socketio
from aiohttp import web

NAMES = os.environ.get("NAMES", "usual")
EXISTING_FIRST = os.environ.get("EXISTING_FIRST") == "1"
PING = float(os.environ.get("PING_SECONDS", "25"))
DELAY = float(os.environ.get("DELAY_MS", "0")) / 1000
UNDERSCORE = NAMES == "underscore"
HYPHEN = NAMES == "hyphen"
TARGET = "to" if UNDERSCORE else "target"

sio = socketio.AsyncServer(
    async_mode="aiohttp", cors_allowed_origins="*", ping_interval=PING, ping_timeout=PING * 20 / 25
)
rooms: dict[str, dict[str, str]] = {}
room_of: dict[str, str] = {}
said: list[tuple[str, dict]] = []


def heard_as(event: str) -> str:
    """The name of an event of the server, of which the usual one has a hyphen."""
    return event.replace("-", "_") if UNDERSCORE else event


def said_as(event: str) -> str:
    """The name of an event of a participant, of which the usual one has an underscore."""
    return event.replace("_", "-") if HYPHEN else event


@sio.event
async def connect(sid, environ):
    await sio.emit("connected", {"sid": sid}, to=sid)


async def join_room(sid, data):
    room, username = data["room_id"], data["username"]
    users = rooms.setdefault(room, {})
    existing = [{"sid": other, "username": name} for other, name in users.items()]
    users[sid], room_of[sid] = username, room

    async def tell_others():
        await sio.emit(heard_as("user-joined"), {"sid": sid, "username": username}, room=room, skip_sid=sid)

    async def tell_newcomer():
        await sio.emit(heard_as("existing-users"), existing if UNDERSCORE else {"users": existing}, to=sid)

    await sio.enter_room(sid, room)
    for tell in [tell_newcomer, tell_others] if EXISTING_FIRST else [tell_others, tell_newcomer]:
        await tell()


def relay(heard: str, part: str):
    async def handler(sid, data):
        if data.get(TARGET) and data.get(part):
            await asyncio.sleep(DELAY)
            await sio.emit(heard_as(heard), {part: data[part], "from": sid}, to=data[TARGET])

    return handler


def toggle(heard: str):
    async def handler(sid, data):
        body = {"sid": sid, "enabled": data["enabled"]}
        await sio.emit(heard_as(heard), body, room=room_of[sid], skip_sid=sid)

    return handler


async def message(sid, data):
    room = room_of[sid]
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    body = {"username": rooms[room][sid], "message": data["message"], "timestamp": now}
    await sio.emit("message", body, room=room)


def keep(event: str, handler):
    async def kept(sid, data=None):
        said.append((event, {**(data or {}), "sid": sid}))
        await handler(sid, data or {})

    sio.on(said_as(event), kept)


keep("join_room", join_room)
keep("offer", relay("offer", "offer"))
keep("answer", relay("answer", "answer"))
keep("ice_candidate", relay("ice-candidate", "candidate"))
keep("toggle_video", toggle("video-toggled"))
keep("toggle_audio", toggle("audio-toggled"))
keep("message", message)


@sio.event
async def disconnect(sid, reason=None):
    room = room_of.pop(sid, None)
    if room is not None:
        username = rooms[room].pop(sid)
        await sio.emit(heard_as("user-left"), {"sid": sid, "username": username}, room=room, skip_sid=sid)


async def answer_said(request):
    return web.json_response(said)


async def answer_users(request):
    return web.json_response(rooms.get(request.query["room"], {}))


async def main():
    app = web.Application()
    sio.attach(app)
    app.add_routes([web.get("/test/said", answer_said), web.get("/test/users", answer_users)])
    runner = web.AppRunner(app)
    await runner.setup()
    host = os.environ.get("HOST", "127.0.0.1")
    site = web.TCPSite(runner, host, int(os.environ.get("PORT", "0")))
    await site.start()
    print(f"http://{host}:{site._server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
