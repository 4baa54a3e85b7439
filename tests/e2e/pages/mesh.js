// A participant of a WebRTC mesh that behaves as deployed pages do, with their mistakes: it offers to whoever it hears of
// first, rolls its own offer back when another one comes, loses candidates that come before their description, and shows
// `event.streams[0]`. What it hears and shows is kept for the test.
//
// ?offers=both      offers to those found and to those who come, as the page most in use does
//         newcomer  offers to those found only
//         existing  offers to those who come only
// ?sends=no         has no camera and no microphone of its own, and asks to receive
//        640x480    sends a picture of that size; 320x240 unless it says otherwise
// ?ice=JSON         the configuration of its connections
// ?only=NAME        connects to participants of that name, to everybody without it

'use strict';

const parameters = new URLSearchParams(location.search);
const offers = parameters.get('offers') ?? 'both';
const sends = parameters.get('sends') !== 'no';
const configuration = JSON.parse(parameters.get('ice') ?? '{}');
const [width, height] = (parameters.get('sends') ?? '').match(/^(\d+)x(\d+)$/)?.slice(1).map(Number) ?? [320, 240];
const only = parameters.get('only');

class Participant {
  constructor() {
    this.peers = new Map();
    this.heard = [];
    this.lostCandidates = 0;
    /** Those that were told on their own. */
    this.candidates = [];
    this.tracks = [];
  }

  async join(server, room, username) {
    if (sends) this.stream = await navigator.mediaDevices.getUserMedia({ video: { width, height }, audio: true });
    this.socket = io(server, { transports: ['websocket'], forceNew: true });
    const on = (event, listener) => this.socket.on(event, (payload) => {
      this.heard.push({ at: performance.now(), event, payload: event === 'ice-candidate' ? undefined : payload });
      return listener?.(payload);
    });
    const wants = (name) => only === null || name === only;
    on('existing-users', ({ users }) => users.forEach(({ sid, username: name }) => offers !== 'existing' && wants(name) && this.offer(sid)));
    on('user-joined', ({ sid, username: name }) => offers !== 'newcomer' && wants(name) && this.offer(sid));
    on('offer', async ({ offer, from }) => {
      const peer = this.peers.get(from) ?? this.connect(from);
      await peer.setRemoteDescription(offer);
      await peer.setLocalDescription(await peer.createAnswer());
      this.socket.emit('answer', { target: from, answer: peer.localDescription });
    });
    on('answer', ({ answer, from }) => this.peers.get(from)?.setRemoteDescription(answer).catch((error) => this.complain(error)));
    on('ice-candidate', async ({ candidate, from }) => {
      this.candidates.push(candidate?.candidate);
      // The browser has candidates wait for a description that is being set, and refuses those that come before.
      await (this.peers.get(from)?.addIceCandidate(candidate) ?? Promise.reject()).catch(() => (this.lostCandidates += 1));
    });
    on('user-left', ({ sid }) => this.forget(sid));
    for (const event of ['video-toggled', 'audio-toggled', 'message']) on(event);
    this.socket.on('connect', () => this.socket.emit('join_room', { room_id: room, username, user_id: null }));
    await new Promise((resolve) => this.socket.once('existing-users', resolve));
  }

  complain(error) {
    this.heard.push({ at: performance.now(), event: 'error', payload: String(error) });
  }

  connect(sid) {
    const peer = new RTCPeerConnection(configuration);
    this.peers.set(sid, peer);
    for (const track of this.stream?.getTracks() ?? []) peer.addTrack(track, this.stream);
    if (!sends) for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
    peer.onicecandidate = ({ candidate }) => this.socket.emit('ice_candidate', { target: sid, candidate });
    peer.ontrack = ({ track, streams }) => {
      this.tracks.push({ sid, kind: track.kind, stream: streams[0]?.id });
      const video = document.getElementById(`tile-${sid}`) ?? this.tile(sid);
      video.srcObject = streams[0];
    };
    return peer;
  }

  tile(sid) {
    const video = Object.assign(document.createElement('video'), { id: `tile-${sid}`, autoplay: true, playsInline: true });
    document.getElementById('tiles').append(video);
    roomcamProbe.attach(video);
    return video;
  }

  async offer(sid) {
    const peer = this.peers.get(sid) ?? this.connect(sid);
    try {
      await peer.setLocalDescription(await peer.createOffer());
      this.socket.emit('offer', { target: sid, offer: peer.localDescription });
    } catch (error) {
      this.complain(error);
    }
  }

  forget(sid) {
    this.peers.get(sid)?.close();
    this.peers.delete(sid);
    document.getElementById(`tile-${sid}`)?.remove();
  }

  /** Of the connection to the only other participant: its state, and what came over it. */
  async state() {
    const [sid, peer] = [...this.peers][0] ?? [];
    if (!peer) return { tracks: this.tracks, heard: this.heard };
    const inbound = {};
    const stats = await peer.getStats();
    for (const report of stats.values()) {
      if (report.type === 'inbound-rtp') inbound[report.kind] = report;
    }
    const transport = [...stats.values()].find(({ type }) => type === 'transport');
    const pair = stats.get(transport?.selectedCandidatePairId);
    const end = ({ candidateType, address }) => ({ candidateType, address });
    const path = pair && { local: end(stats.get(pair.localCandidateId)), remote: end(stats.get(pair.remoteCandidateId)) };
    const video = document.getElementById(`tile-${sid}`);
    return {
      sid,
      connection: peer.connectionState,
      inbound,
      path,
      width: video?.videoWidth,
      time: video?.currentTime,
      tracks: this.tracks,
      heard: this.heard,
      lostCandidates: this.lostCandidates,
    };
  }

  /** Level in dBFS and the strongest frequency in Hz of what the only other participant says now. The first call begins
   *  to listen. */
  sound() {
    if (!this.analyser) {
      const video = document.querySelector('video');
      if (!video?.srcObject?.getAudioTracks().length) return { levelDb: -200, peakHz: 0 };
      const context = new AudioContext();
      this.analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
      context.createMediaStreamSource(video.srcObject).connect(this.analyser);
    }
    const { analyser } = this;
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    const peak = bins.reduce((best, level, bin) => (level > bins[best] ? bin : best), 1);
    return {
      levelDb: power > 0 ? 10 * Math.log10(power) : -200,
      peakHz: (peak * analyser.context.sampleRate) / analyser.fftSize,
    };
  }

  leave() {
    for (const sid of [...this.peers.keys()]) this.forget(sid);
    this.socket.disconnect();
  }
}

window.participant = new Participant();
