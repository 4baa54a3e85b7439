"""A participant of the dialect "mesh" (docs/signalling.md) on aiortc, a WebRTC stack that shares no code with roomcam or with
browsers. It only watches the participant that offers to it, and records every picture and every packet of the voice: when it
arrived, and what a decoder makes of it.

Prints its origin when it is in the room. `GET /test/recording` answers {video, audio}, each {packetsLost, undecoded, frames}: how
many packets and frames are missing, and those that are there. A frame is [media time in ms, time of arrival, time of arrival of
the last packet of it, level]. Times of arrival are Unix ms. Media times are those of the RTP time stamps, from the first one on.
The level is the brightest luma of a picture (black is 16), or the loudness of 20 ms of sound in dBFS.

Environment: SERVER, the origin of the signalling server; ROOM.
"""

import asyncio
import math
import os
import time

import socketio
from aiohttp import web
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

CLOCK_RATE = {"video": 90_000, "audio": 48_000}
SILENCE_DB = -120.0

sio = socketio.AsyncClient()
connections: dict[str, RTCPeerConnection] = {}
recordings: dict[str, "Recording"] = {}


def brightest(picture) -> float:
    luma = picture.to_ndarray()[: picture.height : 8, : picture.width : 8]
    return float(luma.max())


def loudness(sound) -> float:
    samples = sound.to_ndarray().astype("float64") / 32768
    power = float((samples**2).mean())
    return 10 * math.log10(power) if power > 0 else SILENCE_DB


class Recording:
    """What comes of one track."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.kind = receiver.track.kind
        self.origin: int | None = None
        # By the time stamps of aiortc's frames, which count from the first one.
        self.complete: dict[int, float] = {}
        self.last: dict[int, float] = {}
        self.levels: dict[int, float] = {}
        self._note_packets()
        self.watching = asyncio.ensure_future(self._watch())

    def _note_packets(self):
        """A frame leaves aiortc when the next ones have come, so arrivals are noted where its packets come in, and those of
        retransmissions too."""
        handle = self.receiver._handle_rtp_packet

        async def note(packet, arrival_time_ms):
            now = time.time() * 1000
            if self.origin is None:
                self.origin = packet.timestamp
            at = (packet.timestamp - self.origin) & 0xFFFFFFFF
            self.last[at] = now
            if packet.marker or self.kind == "audio":
                self.complete.setdefault(at, now)
            await handle(packet, arrival_time_ms)

        self.receiver._handle_rtp_packet = note

    async def _watch(self):
        level = brightest if self.kind == "video" else loudness
        try:
            while True:
                frame = await self.receiver.track.recv()
                self.levels[frame.pts] = level(frame)
        except MediaStreamError:
            pass

    async def state(self):
        stats = (await self.receiver.getStats()).values()
        lost = sum(each.packetsLost for each in stats if each.type == "inbound-rtp")
        ms = 1000 / CLOCK_RATE[self.kind]
        newest = max(self.levels, default=0)
        undecoded = sum(at < newest and at not in self.levels for at in self.complete)
        frames = [[at * ms, self.complete[at], self.last[at], level] for at, level in self.levels.items()]
        return {"packetsLost": lost, "undecoded": undecoded, "frames": frames}


@sio.on("offer")
async def offered(data):
    sid = data["from"]
    connection = connections.setdefault(sid, RTCPeerConnection())
    await connection.setRemoteDescription(RTCSessionDescription(**data["offer"]))
    for transceiver in connection.getTransceivers():
        if transceiver.kind not in recordings:
            recordings[transceiver.kind] = Recording(transceiver.receiver)
    await connection.setLocalDescription(await connection.createAnswer())
    description = connection.localDescription
    answer = {"type": description.type, "sdp": description.sdp}
    await sio.emit("answer", {"target": sid, "answer": answer})


async def answer_recording(request):
    return web.json_response({kind: await recording.state() for kind, recording in recordings.items()})


async def main():
    app = web.Application()
    app.add_routes([web.get("/test/recording", answer_recording)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    await sio.connect(os.environ["SERVER"], transports=["websocket"])
    joined = asyncio.Event()
    sio.on("existing-users", lambda data: joined.set())
    await sio.emit("join_room", {"room_id": os.environ["ROOM"], "username": "watcher", "user_id": None})
    await joined.wait()
    print(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
