// The cards of the participants, put on the page as React does it: what an event changes is rendered by a task of
// its own some ms later, several changes at once; only then is there an element for a newcomer.

export class Screen {
  #cards = new Map();
  #channel = new MessageChannel();
  #due = false;
  #participants = [];
  #areSetAnew = false;
  #layout = 'speaker';

  /** `onRef(userId, video)`: what the client does with an element that React hands it. `refsFollowParticipants`: the
   *  first generation's callback depends on the participants, so React hands it every element again when they were
   *  set, changed or not, and only then; later ones get an element when it is mounted and once more in an effect.
   *  `renderMs`: how long a render keeps the page busy. */
  constructor({ onRef, log, refsFollowParticipants, renderMs }) {
    Object.assign(this, { onRef, log, refsFollowParticipants, renderMs });
    this.#channel.port1.onmessage = () => this.#render();
  }

  /** Who is to be shown. */
  set(participants) {
    this.#participants = participants;
    this.#areSetAnew = true;
    this.changed();
  }

  /** Shows the cards in the other layout: all of them are mounted anew. */
  switchLayout() {
    this.#layout = this.#layout === 'speaker' ? 'grid' : 'speaker';
    this.changed();
  }

  /** Something of the page's state has changed, if only the chat. */
  changed() {
    if (this.#due) return;
    this.#due = true;
    this.#channel.port2.postMessage(null);
  }

  clear() {
    this.#participants = [];
    for (const { card } of this.#cards.values()) card.remove();
    this.#cards.clear();
  }

  #render() {
    this.#due = false;
    const end = performance.now() + this.renderMs;
    while (performance.now() < end);

    const wanted = this.#placed();
    for (const [key, { card }] of this.#cards) {
      if (wanted.has(key)) continue;
      card.remove();
      this.#cards.delete(key);
    }
    const allAnew = this.refsFollowParticipants && this.#areSetAnew;
    this.#areSetAnew = false;
    const handed = [];
    for (const [key, participant] of wanted) {
      const shown = this.#cards.get(key) ?? this.#mount(key);
      const isNew = shown.userId !== participant.userId;
      this.#show(shown, participant);
      if (isNew || allAnew) handed.push(shown);
    }
    this.log.add('render', { cards: [...wanted.keys()] });
    for (const { video, userId } of handed) {
      if (this.refsFollowParticipants) video.srcObject = null;
      this.onRef(userId, video);
    }
    if (!this.refsFollowParticipants && handed.length > 0) this.#afterwards(handed);
  }

  /** Effects run some 5 to 15 ms later. */
  #afterwards(handed) {
    requestAnimationFrame(() => {
      for (const { video, userId } of handed) {
        // Loads the element anew, whatever it had.
        video.srcObject = null;
        this.onRef(userId, video);
      }
    });
  }

  /** Each participant by the key of its card. A card whose key stays is kept; the first generation's big card is
   *  keyed by who is in it, later ones' is not. */
  #placed() {
    const placed = new Map();
    this.#participants.forEach((participant, index) => {
      const { userId } = participant;
      if (this.#layout === 'grid') placed.set(`grid ${userId}`, participant);
      else if (index > 0) placed.set(`strip ${userId}`, participant);
      else placed.set(this.refsFollowParticipants ? `main ${userId}` : 'main', participant);
    });
    return placed;
  }

  #mount(key) {
    const card = document.createElement('div');
    const video = document.createElement('video');
    video.autoplay = true;
    video.playsInline = true;
    card.append(video);
    document.body.append(card);
    roomcamProbe.attach(video);
    const shown = { card, video, userId: undefined };
    this.#cards.set(key, shown);
    return shown;
  }

  #show(shown, { userId, hasVideo }) {
    const { card, video } = shown;
    shown.userId = userId;
    card.dataset.userId = userId;
    card.dataset.shows = hasVideo ? 'video' : 'avatar';
    video.dataset.userId = userId;
    video.style.visibility = hasVideo ? 'visible' : 'hidden';
  }
}
