// What the page's address says: which room, how media come, as whom, with which token. Pure, but for the token's two places.

const DEFAULT_ROOM = 'demo';
const PROTOCOLS = ['relay', 'mesh', 'noom'];
/** Where the token is while the tab is open. */
const TOKEN_KEY = 'roomcam-token';

/**
 * The room that an address names: `?room=`, else `/room/<name>`. A name that is not percent-encoded as it should
 * be, such as `/room/100%`, is taken as it stands.
 */
export function roomOf({ pathname, search }) {
  const asked = new URLSearchParams(search).get('room') ?? pathname.match(/^\/room\/(.+)$/)?.[1];
  if (!asked) return DEFAULT_ROOM;
  return search && new URLSearchParams(search).has('room') ? asked : decoded(asked);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** How media come: `relay`, or `mesh` or `noom` over WebRTC. */
export function protocolOf({ search }) {
  const asked = new URLSearchParams(search).get('protocol');
  return PROTOCOLS.includes(asked) ? asked : PROTOCOLS[0];
}

/** The user id that an address asks for, or null. */
export function userOf({ search }) {
  return new URLSearchParams(search).get('user') || null;
}

/** The token in an address's fragment, or null, and the fragment without it. A fragment reaches no server's
 *  log. */
export function tokenIn({ hash }) {
  const fields = new URLSearchParams(hash.slice(1));
  const token = fields.get('token')?.trim() || null;
  fields.delete('token');
  const rest = token === null ? hash : fields.size ? `#${fields}` : '';
  return { token, rest };
}

/** Keeps the token for this tab, and takes it out of the address bar. Returns the one to use, or null. */
export function takeToken() {
  const { token, rest } = tokenIn(location);
  if (token === null) return keptToken();
  keepToken(token);
  history.replaceState(null, '', location.pathname + location.search + rest);
  return token;
}

function keptToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY);
  } catch {
    // The browser's user keeps pages from storing anything.
    return null;
  }
}

/** Remembers a token while the tab is open; null forgets it. */
export function keepToken(token) {
  try {
    if (token === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // Then it is asked for again after a reload.
  }
}
