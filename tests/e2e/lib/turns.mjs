// Two tests of one file at the same time, without one's start in the other's times.

/** A test uses half of the machine while it measures, but all of it while its relay, browser, and pages start. So: any number of
 *  tests measure at a time, and whoever starts something waits until nobody measures. First come, first served. */
export class Turns {
  #starts = Promise.resolve();
  #measurements = new Set();

  /** Does what may take the time of others, once all that measure are done. Returns what `act` returns. */
  start(act) {
    const started = Promise.all([this.#starts, ...this.#measurements]).then(act);
    this.#starts = settled(started);
    return started;
  }

  /** Measures, once all that start are done. Returns what `act` returns. */
  measure(act) {
    const measured = this.#starts.then(act);
    const ended = settled(measured).then(() => this.#measurements.delete(ended));
    this.#measurements.add(ended);
    return measured;
  }
}

const settled = (promise) => promise.then(() => {}, () => {});
