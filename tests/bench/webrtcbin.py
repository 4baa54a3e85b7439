"""A sender in a WebRTC mesh (docs/signalling.md) on GStreamer's webrtcbin, to be measured beside the agent: one encoder and one
payloader for everybody, and a webrtcbin for each participant. It offers to whoever comes.

Without arguments it says what is missing on this machine, or nothing. Otherwise: SERVER ROOM NAME VIDEO AUDIO, where VIDEO and
AUDIO are launch lines that end with an encoder of VP8 and of Opus. It prints "joined" when it is in the room.
"""

import asyncio
import sys

import socketio

# PyGObject comes with Debian's Python, not from PyPI.
sys.path.append("/usr/lib/python3/dist-packages")
try:
    import gi

    for namespace in ["Gst", "GstSdp", "GstWebRTC"]:
        gi.require_version(namespace, "1.0")
    from gi.repository import Gst, GstSdp, GstWebRTC

    Gst.init(None)
except (ImportError, ValueError) as error:
    sys.exit(f"{error}: install python3-gi and gir1.2-gst-plugins-bad-1.0")
for element in ["webrtcbin", "nicesrc"]:
    if Gst.ElementFactory.find(element) is None:
        sys.exit(f"GStreamer has no {element}: install gstreamer1.0-plugins-bad and gstreamer1.0-nice")
if len(sys.argv) == 1:
    sys.exit()

SERVER, ROOM, NAME, VIDEO, AUDIO = sys.argv[1:]
# Chromium's payload types; fakesinks keep the encoders running while nobody watches.
PIPELINE = Gst.parse_launch(
    f"{VIDEO} ! rtpvp8pay picture-id-mode=15-bit mtu=1200 ! application/x-rtp,media=video,encoding-name=VP8,payload=96 "
    f"! tee name=video allow-not-linked=true video. ! queue ! fakesink async=false "
    f"{AUDIO} ! rtpopuspay ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111 "
    f"! tee name=audio allow-not-linked=true audio. ! queue ! fakesink async=false"
)
sio = socketio.AsyncClient()
peers: dict[str, "Peer"] = {}


class Peer:
    """The connection to one participant."""

    def __init__(self, sid: str, loop: asyncio.AbstractEventLoop):
        self.sid = sid
        self.loop = loop
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.webrtc.connect("on-negotiation-needed", self.offer)
        self.webrtc.connect("on-ice-candidate", self.tell_candidate)
        PIPELINE.add(self.webrtc)
        queues = [Gst.ElementFactory.make("queue") for _ in range(2)]
        for index, queue in enumerate(queues):
            PIPELINE.add(queue)
            queue.link(self.webrtc)
            transceiver = self.webrtc.emit("get-transceiver", index)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            # As the agent: lost pictures are sent again, a lost voice is not.
            transceiver.set_property("do-nack", index == 0)
        for element in [self.webrtc, *queues]:
            element.sync_state_with_parent()
        for kind, queue in zip(["video", "audio"], queues):
            PIPELINE.get_by_name(kind).link(queue)

    def say(self, event: str, payload: dict):
        coroutine = sio.emit(event, {"target": self.sid, **payload})
        asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def offer(self, _element):
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise):
        # The offer is only valid for as long as the reply is.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, Gst.Promise.new())
        self.say("offer", {"offer": {"type": "offer", "sdp": offer.sdp.as_text()}})

    def tell_candidate(self, _element, index: int, candidate: str):
        self.say("ice_candidate", {"candidate": {"candidate": candidate, "sdpMLineIndex": index}})

    def answered(self, sdp: str):
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())


@sio.on("user-joined")
async def came(data):
    peers[data["sid"]] = Peer(data["sid"], asyncio.get_running_loop())


@sio.on("answer")
async def heard_answer(data):
    peers[data["from"]].answered(data["answer"]["sdp"])


@sio.on("ice-candidate")
async def heard_candidate(data):
    candidate = data["candidate"]
    if candidate and candidate["candidate"]:
        peers[data["from"]].webrtc.emit("add-ice-candidate", candidate["sdpMLineIndex"], candidate["candidate"])


async def main():
    PIPELINE.set_state(Gst.State.PLAYING)
    joined = asyncio.Event()
    sio.on("existing-users", lambda _: joined.set())
    await sio.connect(SERVER, transports=["websocket"])
    await sio.emit("join_room", {"room_id": ROOM, "username": NAME, "user_id": None})
    await joined.wait()
    print("joined", flush=True)
    await sio.wait()


asyncio.run(main())
