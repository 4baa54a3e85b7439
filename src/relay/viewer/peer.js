// One WebRTC connection that only receives: descriptions and candidates in and out, and what comes over it.

/** The label of the channel for chat where participants chat without the server. */
const CHAT = 'chat';

export class Peer {
  #connection;
  #on;
  /** Candidates that have come before the description that they belong to. */
  #early = [];
  /** What is done with the connection, one thing after the other. */
  #work = Promise.resolve();
  #offering = false;
  #ignored = false;
  #closed = false;
  #channel = null;
  #streams = new Set();

  /**
   * @param {RTCIceServer[]} iceServers
   * @param {object} on
   * @param {(signal: object) => void} on.send a signal for the other end: `{offer}`, `{answer}` or `{candidate}`
   * @param {(stream: MediaStream) => void} on.stream media come
   * @param {() => void} on.connected
   * @param {() => void} on.failed nothing more will come of it
   * @param {(text: string) => void} on.chat somebody has written something
   */
  constructor(iceServers, on) {
    this.#on = on;
    const connection = new RTCPeerConnection({ iceServers });
    this.#connection = connection;
    connection.onicecandidate = ({ candidate }) => {
      if (candidate?.candidate) on.send({ candidate: candidate.toJSON() });
    };
    connection.ontrack = ({ track, streams }) => this.#streamCame(streams[0] ?? new MediaStream([track]));
    connection.ondatachannel = ({ channel }) => this.#chatOver(channel);
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === 'connected') on.connected();
      if (connection.connectionState === 'failed') on.failed();
    };
  }

  /** Whether the other end has described itself. */
  get described() {
    return this.#connection.remoteDescription !== null;
  }

  /** Whether an offer continues this connection. Another certificate is that of another one. */
  continues(offer) {
    const known = this.#connection.remoteDescription;
    return known === null || fingerprintOf(known.sdp) === fingerprintOf(offer.sdp);
  }

  /** Asks the other end for its picture and sound. `chats`: over a channel of this connection. */
  offer({ chats }) {
    this.#do(async (connection) => {
      this.#offering = true;
      for (const kind of ['audio', 'video']) connection.addTransceiver(kind, { direction: 'recvonly' });
      if (chats) this.#chatOver(connection.createDataChannel(CHAT));
      await connection.setLocalDescription();
      this.#on.send({ offer: connection.localDescription.toJSON() });
    });
  }

  /** Takes a signal of the other end. */
  take({ offer, answer, candidate }) {
    if (offer) this.#do((connection) => this.#answer(connection, offer));
    else if (answer) this.#do((connection) => this.#accept(connection, answer));
    else if (candidate) this.#do((connection) => this.#add(connection, candidate));
  }

  /** Writes something to the other end; returns whether it could be sent. */
  say(text) {
    if (this.#channel?.readyState !== 'open') return false;
    this.#channel.send(text);
    return true;
  }

  /** How the connection is: see `figuresOf`. */
  async figures() {
    return figuresOf([...(await this.#connection.getStats()).values()]);
  }

  close() {
    this.#closed = true;
    this.#connection.close();
  }

  async #answer(connection, offer) {
    // If both have offered, each would answer the other's offer for ever: this end insists once. An agent that insists too
    // offers again.
    if (this.#offering && !this.#ignored) {
      this.#ignored = true;
      return;
    }
    this.#offering = false;
    await connection.setRemoteDescription(offer);
    await this.#addEarly(connection);
    await connection.setLocalDescription();
    this.#on.send({ answer: connection.localDescription.toJSON() });
  }

  async #accept(connection, answer) {
    if (!this.#offering) return;
    this.#offering = false;
    await connection.setRemoteDescription(answer);
    await this.#addEarly(connection);
  }

  async #add(connection, candidate) {
    // Some send an empty one when there are no more.
    if (!candidate.candidate) return;
    if (connection.remoteDescription === null) this.#early.push(candidate);
    // One of a description that was replaced does no harm.
    else await connection.addIceCandidate(candidate).catch((error) => console.debug('a candidate is ignored:', error));
  }

  async #addEarly(connection) {
    for (const candidate of this.#early.splice(0)) await this.#add(connection, candidate);
  }

  #do(task) {
    this.#work = this.#work
      .then(() => (this.#closed ? undefined : task(this.#connection)))
      .catch((error) => {
        if (this.#closed) return;
        console.warn('a connection failed:', error);
        this.#on.failed();
      });
  }

  /** Picture and sound of one stream are announced one by one. */
  #streamCame(stream) {
    if (this.#streams.has(stream.id)) return;
    this.#streams.add(stream.id);
    this.#on.stream(stream);
  }

  #chatOver(channel) {
    if (channel.label !== CHAT) return;
    this.#channel = channel;
    channel.onmessage = ({ data }) => {
      if (typeof data === 'string') this.#on.chat(data);
    };
  }
}

function fingerprintOf(sdp) {
  return sdp.match(/^a=fingerprint:(.*?)\s*$/im)?.[1].toLowerCase();
}

/**
 * What the browser's statistics say of a connection, as far as people care. Null where they say nothing.
 *
 * @param {object[]} reports
 */
export function figuresOf(reports) {
  const video = reports.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video') ?? {};
  const pair = reports.find(({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded') ?? {};
  const inbound = reports.filter(({ type }) => type === 'inbound-rtp');
  const sum = (what) => inbound.reduce((total, each) => total + (each[what] ?? 0), 0);
  const emitted = video.jitterBufferEmittedCount;
  return {
    at: video.timestamp ?? 0,
    bytes: sum('bytesReceived'),
    lost: sum('packetsLost'),
    roundTripMs: pair.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
    bufferMs: emitted ? (video.jitterBufferDelay / emitted) * 1000 : null,
  };
}
