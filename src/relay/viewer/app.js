// The viewer: wires the relay's events to tiles, and the page's few controls.

import { bestGrid } from './grid.js';
import { joinRelay } from './relay.js';
import { Tile } from './tile.js';

/** How often players are steered (milliseconds). */
const TICK = 100;
/** How often shown statistics change (milliseconds). */
const STATS_TICK = 500;
/** After the relay has been away, its people come back one by one: how long their tiles wait for them
 *  (milliseconds). */
const RETURN_GRACE = 4000;
const GAP = 12;

const $ = (id) => document.getElementById(id);

const query = new URLSearchParams(location.search);
const room = query.get('room') || decodeURIComponent(location.pathname.match(/^\/room\/(.+)$/)?.[1] ?? 'demo');
const userId = query.get('user') || `viewer-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
// In the fragment, because a fragment reaches no server's log.
const token = new URLSearchParams(location.hash.slice(1)).get('token');

/** Everybody in the room but this viewer, by user id. */
const roster = new Map();
/** Those of them who publish. */
const tiles = new Map();
/** Those who were there before the relay was away, and until when they may come back. */
const missing = new Map();
let sound = false;
let statsShown = false;
let aspect = 16 / 9;

const relay = joinRelay(
  { room, userId, username: 'Viewer', token },
  {
    connected: () => showBanner(null),
    away: ({ reason }) => showBanner(reason),
    'room-state': ({ title, participants = [] }) => {
      $('room').textContent = title || room;
      const present = new Set(participants.map((participant) => participant.userId));
      const until = performance.now() + RETURN_GRACE;
      for (const gone of [...roster.keys()].filter((id) => !present.has(id))) missing.set(gone, until);
      participants.forEach(upsert);
      arrange();
    },
    'user-joined': (participant) => {
      upsert(participant);
      arrange();
    },
    'user-left': ({ userId: gone, socketId }) => {
      // Said of an earlier connection of somebody who is back already.
      const current = tiles.get(gone)?.socketId;
      if (socketId && current && socketId !== current) return;
      remove(gone);
      arrange();
    },
    'media-chunk': (chunk) => {
      if (!chunk.userId || chunk.userId === userId || !chunk.chunk) return;
      tileOf(chunk.userId).chunk(chunk);
    },
    'camera-state-changed': ({ userId: who, hasVideo }) => update(who, { hasVideo }),
    'mic-state-changed': ({ userId: who, isMuted }) => update(who, { isMuted }),
    'stream-reset': ({ userId: who }) => tiles.get(who)?.player.restart(),
    'speaking-start': ({ userId: who }) => tiles.get(who)?.setSpeaking(true),
    'speaking-stop': ({ userId: who }) => tiles.get(who)?.setSpeaking(false),
    'participant-list-changed': updateAll,
    'broadcast-presenter-changed': updateAll,
    'broadcast-mode-changed': updateAll,
    'room-ended': () => {
      [...roster.keys()].forEach(remove);
      arrange();
      showBanner('The meeting has ended');
    },
  },
);

function publishes({ hasVideo, isMuted }) {
  return hasVideo === true || isMuted === false;
}

function upsert(participant) {
  const { userId: who } = participant;
  if (!who || who === userId) return;
  const known = { ...roster.get(who), ...participant };
  roster.set(who, known);
  missing.delete(who);
  if (tiles.has(who)) tiles.get(who).update(participant);
  else if (publishes(known)) tileOf(who);
}

function update(who, change) {
  if (!roster.has(who)) return;
  upsert({ userId: who, ...change });
  arrange();
}

function updateAll({ participants = [] }) {
  participants.forEach(upsert);
  arrange();
}

/** The tile of a participant, who has published by now. It stays until they leave. */
function tileOf(who) {
  let tile = tiles.get(who);
  if (!tile) {
    // Media of somebody the relay has not told of: the state events will follow.
    if (!roster.has(who)) roster.set(who, { userId: who, username: who, hasVideo: true });
    tile = new Tile(roster.get(who), { sound, requestKeyframe: relay.requestKeyframe, resized: arrange });
    tiles.set(who, tile);
    $('grid').append(tile.element);
    arrange();
  }
  return tile;
}

function remove(who) {
  roster.delete(who);
  missing.delete(who);
  tiles.get(who)?.remove();
  tiles.delete(who);
}

/** Gives up on those who have not come back. */
function forgetMissing(now) {
  const gone = [...missing].filter(([, until]) => now > until);
  if (!gone.length) return;
  for (const [who] of gone) remove(who);
  arrange();
}

/** Shares the window out. All tiles have the shape of most pictures, so that few are cropped. */
function arrange() {
  const grid = $('grid');
  const count = tiles.size;
  const shapes = [...tiles.values()].map((tile) => tile.aspect).filter(Boolean);
  if (shapes.length) aspect = shapes.sort((a, b) => a - b)[Math.floor(shapes.length / 2)];
  $('empty').hidden = count > 0;
  grid.hidden = count === 0;
  const watching = roster.size - count + 1;
  $('people').textContent = `${count} on air · ${watching} watching`;
  $('sound').hidden = sound || ![...tiles.values()].some((tile) => tile.audible);
  if (!count) return;
  const { columns, tileWidth } = bestGrid(count, grid.clientWidth, grid.clientHeight, aspect, GAP);
  grid.style.setProperty('--columns', columns);
  grid.style.setProperty('--tile-width', `${tileWidth}px`);
  grid.style.setProperty('--aspect', aspect);
}

function showBanner(reason) {
  $('banner').hidden = reason === null;
  document.body.classList.toggle('away', reason !== null);
  if (reason !== null) $('reason').textContent = reason;
}

function turnSoundOn() {
  sound = true;
  for (const tile of tiles.values()) tile.setSound(true);
  arrange();
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
  for (const tile of tiles.values()) tile.showStats(now);
}

$('room').textContent = room;
$('example-url').textContent = location.origin;
$('example-room').textContent = room;
$('sound').addEventListener('click', turnSoundOn);
$('info').addEventListener('click', toggleStats);
addEventListener('keydown', ({ key, ctrlKey, metaKey, altKey }) => {
  if (key === 'i' && !ctrlKey && !metaKey && !altKey) toggleStats();
});
new ResizeObserver(arrange).observe($('grid'));
setInterval(() => {
  const now = performance.now();
  for (const tile of tiles.values()) tile.tick(now);
  forgetMissing(now);
}, TICK);
setInterval(showStats, STATS_TICK);
arrange();

/** For tests and the curious: what every participant's tile shows, read-only but for `resetGaps`. */
window.roomcam = Object.freeze({
  room,
  userId,
  get connected() {
    return relay.connected();
  },
  get sound() {
    return sound;
  },
  get users() {
    const now = performance.now();
    return Object.fromEntries([...tiles].map(([who, tile]) => [who, tile.inspect(now)]));
  },
  /** Measures `maxGapMs` anew from now on. */
  resetGaps() {
    for (const tile of tiles.values()) tile.player.stats.resetGap();
  },
});
