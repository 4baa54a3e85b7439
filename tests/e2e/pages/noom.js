// A participant of a one-to-one room that behaves as deployed pages do, with their mistakes: one connection, made before the
// join and used for whoever comes; candidates that come before their description are lost; the closing null is sent; nothing
// is said on leaving; chat goes through the data channel that the one who was there made at the first `welcome`.
//
// ?form=object    {offer, roomName}, with `ice` for candidates
//       document  the same with `candidate`
//       args      offer, roomName

'use strict';

const form = new URLSearchParams(location.search).get('form') ?? 'object';
const CANDIDATE = form === 'document' ? 'candidate' : 'ice';

class Participant {
  constructor() {
    this.heard = [];
    this.chat = [];
    this.lostCandidates = 0;
    this.tracks = [];
  }

  async join(server, room) {
    this.room = room;
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: true });
    this.connect();
    this.socket = io(server, { transports: ['websocket'], forceNew: true });
    const on = (event, listener) => this.socket.on(event, async (...args) => {
      this.heard.push({ at: performance.now(), event });
      try {
        await listener(...args);
      } catch (error) {
        this.heard.push({ at: performance.now(), event: 'error', payload: String(error) });
      }
    });
    const body = (key) => (payload) => (form === 'args' ? payload : payload[key]);
    on('welcome', async () => {
      this.listenTo(this.peer.createDataChannel('chat'));
      await this.peer.setLocalDescription(await this.peer.createOffer());
      this.say('offer', this.peer.localDescription);
    });
    on('offer', async (payload) => {
      this.peer.ondatachannel = ({ channel }) => this.listenTo(channel);
      await this.peer.setRemoteDescription(body('offer')(payload));
      await this.peer.setLocalDescription(await this.peer.createAnswer());
      this.say('answer', this.peer.localDescription);
    });
    on('answer', (payload) => this.peer.setRemoteDescription(body('answer')(payload)));
    on('ice', async (payload) => {
      if (!this.peer.remoteDescription) this.lostCandidates += 1;
      await this.peer.addIceCandidate(body(CANDIDATE)(payload));
    });
    for (const event of ['room_full', 'reject_join']) on(event, () => {});
    await new Promise((resolve) => this.socket.on('connect', resolve));
    if (form === 'args') this.socket.emit('join_room', room, () => {});
    else this.socket.emit('join_room', { roomName: room }, () => {});
  }

  /** What is said of the connection, addressed by the room. */
  say(event, body) {
    const key = event === 'ice' ? CANDIDATE : event;
    if (form === 'args') this.socket.emit(event, body, this.room);
    else this.socket.emit(event, { [key]: body, roomName: this.room });
  }

  connect() {
    this.peer = new RTCPeerConnection();
    for (const track of this.stream.getTracks()) this.peer.addTrack(track, this.stream);
    this.peer.onicecandidate = ({ candidate }) => this.say('ice', candidate);
    this.peer.onaddstream = ({ stream }) => {
      this.tracks.push(...stream.getTracks().map(({ kind }) => ({ kind, stream: stream.id })));
      const video = document.getElementById('peer');
      video.srcObject = stream;
      if (!this.attached) roomcamProbe.attach(video);
      this.attached = true;
    };
  }

  listenTo(channel) {
    this.channel = channel;
    channel.onmessage = ({ data }) => this.chat.push(data);
  }

  async state() {
    const inbound = {};
    for (const report of (await this.peer.getStats()).values()) {
      if (report.type === 'inbound-rtp') inbound[report.kind] = report;
    }
    return {
      connection: this.peer.connectionState,
      channel: this.channel?.readyState,
      inbound,
      tracks: this.tracks,
      heard: this.heard,
      chat: this.chat,
      lostCandidates: this.lostCandidates,
    };
  }
}

window.participant = new Participant();
