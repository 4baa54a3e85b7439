// A viewer of Janus' VideoRoom, over its WebSocket API: watches whoever publishes, and whoever publishes next.

'use strict';

class Viewer {
  #answers = new Map();
  #count = 0;

  /** Begins to watch; resolves when it would see somebody. */
  async watch(server, room) {
    this.room = room;
    this.socket = new WebSocket(server, 'janus-protocol');
    this.socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    await new Promise((resolve) => (this.socket.onopen = resolve));
    this.session = (await this.#ask({ janus: 'create' })).data.id;
    setInterval(() => this.#ask({ janus: 'keepalive' }), 20_000);
    // Somebody who only publishes hears of other publishers.
    const listener = await this.#attach();
    const joined = await this.#tell(listener, { request: 'join', ptype: 'publisher', room });
    this.#see(joined.plugindata.data);
  }

  async #attach() {
    return (await this.#ask({ janus: 'attach', plugin: 'janus.plugin.videoroom' })).data.id;
  }

  #tell(handle, body, jsep) {
    return this.#ask({ janus: 'message', handle_id: handle, body, jsep }, 'event');
  }

  /** Asks, and waits for the answer; for `kind`, if given, instead of an acknowledgement. */
  #ask(message, kind) {
    this.#count += 1;
    const transaction = `t${this.#count}`;
    const answered = new Promise((resolve) => this.#answers.set(transaction, { kind, resolve }));
    this.socket.send(JSON.stringify({ ...message, transaction, session_id: this.session }));
    return answered;
  }

  #heard(message) {
    const asked = this.#answers.get(message.transaction);
    if (asked && (!asked.kind || message.janus === asked.kind)) {
      this.#answers.delete(message.transaction);
      asked.resolve(message);
    } else if (message.janus === 'event') {
      this.#see(message.plugindata?.data ?? {});
    }
  }

  #see({ publishers = [] }) {
    for (const { id } of publishers) this.#subscribe(id);
  }

  async #subscribe(feed) {
    const handle = await this.#attach();
    const offered = await this.#tell(handle, { request: 'join', ptype: 'subscriber', room: this.room, streams: [{ feed }] });
    const peer = new RTCPeerConnection();
    peer.onicecandidate = ({ candidate }) =>
      this.#ask({ janus: 'trickle', handle_id: handle, candidate: candidate ?? { completed: true } });
    const video = document.querySelector('video');
    peer.ontrack = ({ streams }) => (video.srcObject = streams[0]);
    await peer.setRemoteDescription(offered.jsep);
    await peer.setLocalDescription(await peer.createAnswer());
    await this.#tell(handle, { request: 'start' }, peer.localDescription);
    this.peer?.close();
    this.peer = peer;
  }

  /** What came over the latest connection. */
  async inbound() {
    const inbound = {};
    for (const report of (await this.peer?.getStats())?.values() ?? []) {
      if (report.type === 'inbound-rtp') inbound[report.kind] = report;
    }
    return inbound;
  }
}

roomcamProbe.attachToAll();
window.viewer = new Viewer();
