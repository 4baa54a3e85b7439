// The chat of the room: messages while this page is open, and a form to write one.

import { language, name, say } from './words.js';

/** Older messages go. */
const MOST = 200;
const NAME_KEY = 'roomcam-name';

const $ = (id) => document.getElementById(id);

export class Chat {
  #panel = $('chat');
  #log = $('log');
  #list = this.#panel.querySelector('ol');
  #form = this.#panel.querySelector('form');
  #button = $('chat-button');
  #unread = 0;
  #announce;
  #resized;

  /**
   * @param {object} page
   * @param {(message: string, username: string) => boolean} page.send returns whether it could be sent
   * @param {(news: string) => void} page.announce
   * @param {() => void} page.resized
   */
  constructor({ send, announce, resized }) {
    this.#announce = announce;
    this.#resized = resized;
    this.#form.elements.username.value = keptName();
    for (const field of ['username', 'message']) {
      const input = this.#form.elements[field];
      input.placeholder = input.getAttribute('aria-label');
    }
    this.#button.addEventListener('click', () => this.#show(this.#panel.hidden));
    $('chat-close').addEventListener('click', () => this.#show(false));
    this.#panel.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.#show(false);
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit(send);
    });
  }

  /** A message of somebody has come; `timestamp` is Unix milliseconds. */
  received({ username, userId, message, timestamp }) {
    if (typeof message !== 'string') return;
    const from = String(username || userId || '');
    this.#add(from, message, timestamp, false);
    if (!this.#panel.hidden) return;
    this.#unread += 1;
    this.#showUnread();
    // An open panel is read out by itself.
    this.#announce(say('news.message', { name: from, message }));
  }

  #submit(send) {
    const { username, message } = this.#form.elements;
    const [from, text] = [username.value.trim(), message.value.trim()];
    if (!text || !from) return;
    if (!send(text, from)) {
      $('chat-problem').textContent = say('chat.unsent');
      return;
    }
    $('chat-problem').textContent = '';
    keepName(from);
    // The relay tells the others only.
    this.#add(say('chat.you', { name: from }), text, Date.now(), true);
    message.value = '';
    message.focus();
  }

  #add(from, text, timestamp, own) {
    const atEnd = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 40;
    const item = document.createElement('li');
    item.classList.toggle('own', own);
    const time = Number.isFinite(timestamp) ? new Date(timestamp) : new Date();
    const clock = time.toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });
    for (const [tag, content] of [['b', from], ['time', clock], ['p', text]]) {
      const element = document.createElement(tag);
      element.textContent = content;
      item.append(element);
    }
    this.#list.append(item);
    while (this.#list.children.length > MOST) this.#list.firstElementChild.remove();
    this.#panel.classList.add('used');
    if (own || atEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }

  #show(open) {
    this.#panel.hidden = !open;
    document.body.classList.toggle('chatting', open);
    this.#button.setAttribute('aria-expanded', open);
    this.#unread = 0;
    this.#showUnread();
    if (open) {
      const { username, message } = this.#form.elements;
      (username.value ? message : username).focus();
      this.#log.scrollTop = this.#log.scrollHeight;
    } else {
      this.#button.focus();
    }
    this.#resized();
  }

  #showUnread() {
    $('unread').hidden = this.#unread === 0;
    $('unread').textContent = this.#unread;
    name(this.#button, this.#unread ? say('chat.unread', { count: this.#unread }) : say('chat'));
  }
}

function keptName() {
  try {
    return localStorage.getItem(NAME_KEY) ?? '';
  } catch {
    // The browser's user keeps pages from storing anything.
    return '';
  }
}

function keepName(username) {
  try {
    localStorage.setItem(NAME_KEY, username);
  } catch {
    // Then it is asked for again.
  }
}
