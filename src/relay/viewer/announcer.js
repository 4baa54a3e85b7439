// Tells those who do not see the page what has happened, a few things at a time.

/** News that come this close together are read as one (milliseconds). */
const GATHER = 400;
/** More than so many at once are noise: the latest are told. */
const MOST = 4;

export class Announcer {
  #region;
  #news = [];

  /** @param {HTMLElement} region an `aria-live` region */
  constructor(region) {
    this.#region = region;
  }

  tell(news) {
    if (!this.#news.length) setTimeout(() => this.#speak(), GATHER);
    this.#news.push(news);
  }

  #speak() {
    const news = document.createElement('p');
    news.textContent = this.#news.slice(-MOST).join('. ');
    this.#news = [];
    this.#region.replaceChildren(news);
  }
}
