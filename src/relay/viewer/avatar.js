// Who somebody is where there is no picture: their avatar, else their initials on a colour of their own.

/** Up to two letters that stand for a name. Korean given names are the last two syllables of a name. */
export function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  if (words.length === 1 && /^[가-힣]{2,4}$/u.test(words[0])) return [...words[0]].slice(-2).join('');
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join('') || '?';
}

/** A hue of one's own, in degrees, the same at every visit. */
export function hueOf(userId) {
  let hash = 0;
  for (const char of userId) hash = (hash * 31 + char.codePointAt(0)) % 99991;
  // Steps of the golden angle keep similar ids apart.
  return (hash * 137.508) % 360;
}

/**
 * The address of an avatar that the page may load, or null. Participants write it, so it is an image over
 * HTTPS, of this relay, or in the address itself; never a picture of another kind, which might be a script.
 */
export function avatarAddress(address, page) {
  if (typeof address !== 'string' || !address) return null;
  let url;
  try {
    url = new URL(address, page);
  } catch {
    return null;
  }
  if (url.protocol === 'data:') return /^data:image\/(png|jpeg|webp|gif)[;,]/.test(url.href) ? url.href : null;
  return url.protocol === 'https:' || url.origin === new URL(page).origin ? url.href : null;
}

export class Avatar {
  #element;
  #name = '';
  #address = null;

  constructor(element) {
    this.#element = element;
  }

  /** Takes over a name, an address, or both. */
  update({ username, avatar_url: address }) {
    if (username) this.#name = username;
    if (address !== undefined) this.#address = avatarAddress(address, location.href);
    this.#show();
  }

  #show() {
    const letters = document.createElement('span');
    letters.textContent = initials(this.#name);
    this.#element.replaceChildren(letters);
    if (this.#address === null) return;
    const image = document.createElement('img');
    // The name stands below.
    image.alt = '';
    image.referrerPolicy = 'no-referrer';
    image.addEventListener('load', () => this.#element.replaceChildren(image));
    image.src = this.#address;
  }
}
