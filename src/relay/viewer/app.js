// The viewer: wires the relay's events to tiles, and the page's few controls.

import { keepToken, roomOf, takeToken, userOf } from './address.js';
import { Announcer } from './announcer.js';
import { Chat } from './chat.js';
import { Notice } from './notice.js';
import { People } from './people.js';
import { Relay } from './relay.js';
import { MediaSourceHere } from './sink.js';
import { Sound } from './sound.js';
import { Stage } from './stage.js';
import { label, language, say } from './words.js';

/** How often players are steered (milliseconds). */
const TICK = 100;
/** How often shown statistics change (milliseconds). */
const STATS_TICK = 500;
/** How long something stays that the relay has refused to somebody in the room (milliseconds). */
const NOTICE_TIME = 6000;

const $ = (id) => document.getElementById(id);

document.documentElement.lang = language;
label(document);

const room = roomOf(location);
const userId = userOf(location) || `viewer-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
const token = takeToken();
let statsShown = false;

const announcer = new Announcer($('news'));
const announce = (news) => announcer.tell(news);
const sound = new Sound($('sound'), () => people.tiles.forEach((tile) => tile.soundChanged()));

const people = new People(userId, {
  sound: () => sound.on,
  blocked: (blocked) => sound.showBlocked(blocked),
  requestKeyframe: (who) => relay.requestKeyframe(who),
  togglePin: (who) => {
    stage.togglePin(who);
    const name = people.tiles.get(stage.pinned)?.name;
    announce(name ? say('news.pinned', { name }) : say('news.unpinned'));
  },
  resized: () => stage.arrange(),
  added: (tile) => $('grid').append(tile.element),
  changed: arrange,
  announce,
});
const stage = new Stage($('grid'), people.tiles);

const relay = new Relay(
  { room, userId, username: say('viewer'), token },
  {
    ...people.handlers,
    'room-state': (state) => {
      showTitle(state.title || room);
      people.handlers['room-state'](state);
    },
    'chat-message': (message) => chat.received(message),
    condition: (condition) => {
      if (condition.kind === 'token-wrong') keepToken(null);
      arrange();
    },
    notice: ({ message }) => showNotice(message),
  },
);

const notice = new Notice({
  room,
  tryNow: () => relay.join(),
  offerToken: (offered) => {
    keepToken(offered);
    relay.joinWithToken(offered);
  },
  announce,
});

const chat = new Chat({
  send: (message, username) => {
    if (relay.joined) relay.say(message, username);
    return relay.joined;
  },
  announce,
  resized: () => stage.arrange(),
});

/** Shows who is there, and whether this page is. */
function arrange() {
  const onAir = people.tiles.size;
  const condition = MediaSourceHere ? relay.condition : { kind: 'no-media-source' };
  notice.show(condition, onAir > 0);
  const inWords = !$('card').hidden;
  $('empty').hidden = condition.kind !== 'joined' || onAir > 0;
  $('people').textContent = condition.kind === 'joined' ? say('people', { onAir, watching: people.watching }) : '';
  $('grid').classList.toggle('covered', inWords);
  $('chat-button').hidden = inWords;
  $('info').hidden = inWords;
  sound.audible = !inWords && [...people.tiles.values()].some((tile) => tile.audible);
  stage.arrange();
}

function showTitle(title) {
  $('room').textContent = title;
  document.title = `${title} · roomcam`;
}

let noticeTimer;
function showNotice(message) {
  $('notice').textContent = message;
  $('notice').hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => ($('notice').hidden = true), NOTICE_TIME);
}

function toggleStats() {
  statsShown = !statsShown;
  document.body.classList.toggle('stats', statsShown);
  $('info').setAttribute('aria-pressed', statsShown);
  showStats();
}

function showStats() {
  if (!statsShown) return;
  const now = performance.now();
  for (const tile of people.tiles.values()) tile.showStats(now);
}

/** The command stands in the sentence, wherever the language wants it. */
function showDemoHint() {
  const [before, after] = say('empty.demo', { command: '\n' }).split('\n');
  const command = document.createElement('code');
  command.textContent = 'roomcam demo';
  $('empty-demo').replaceChildren(before, command, after);
}

showTitle(room);
showDemoHint();
$('example-url').textContent = location.origin;
// A TOML string is escaped as one of JSON is.
$('example-room').textContent = JSON.stringify(room).slice(1, -1);
$('info').addEventListener('click', toggleStats);
setInterval(() => people.tick(performance.now()), TICK);
setInterval(showStats, STATS_TICK);
arrange();
if (MediaSourceHere) relay.join();

/** For tests and the curious: what every participant's tile shows, read-only but for `resetGaps`. */
window.roomcam = Object.freeze({
  room,
  userId,
  get connected() {
    return relay.joined;
  },
  get condition() {
    return relay.condition;
  },
  get sound() {
    return sound.on;
  },
  get users() {
    const now = performance.now();
    return Object.fromEntries([...people.tiles].map(([who, tile]) => [who, tile.inspect(now)]));
  },
  /** Measures `maxGapMs` anew from now on. */
  resetGaps() {
    for (const tile of people.tiles.values()) tile.player.stats.resetGap();
  },
});
