// Watches <video> elements from outside: which frames were shown when, what colours, what sound. A plain
// script, so that it can be loaded by our receiver and injected into the product's viewer page alike.

(() => {
  /** Everything seen of one video element. */
  class Probe {
    constructor(video) {
      this.video = video;
      /** Per frame: [presentationTime on the page's clock in ms, media time in s, frames presented so far, over WebRTC when its
       *  last packet came in ms], and where the clock in the picture is to be read, what it shows (clock.js). */
      this.frames = [];
      this.waiting = 0;
      video.addEventListener('waiting', () => (this.waiting += 1));
      const onFrame = (_, frame) => {
        const clock = window.roomcamProbe.readsClock ? [window.roomcamClock.read(video)] : [];
        this.frames.push([frame.presentationTime, frame.mediaTime, frame.presentedFrames, frame.receiveTime, ...clock]);
        video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
    }

    /** Mean colour, [r, g, b] of 0..255, around each point; points are fractions of the picture's size. */
    colours(points) {
      const { video } = this;
      if (video.videoWidth === 0) return null;
      const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(video, 0, 0);
      return points.map(([x, y]) => {
        const size = 6;
        const left = Math.round(x * canvas.width) - size / 2;
        const top = Math.round(y * canvas.height) - size / 2;
        const { data } = context.getImageData(left, top, size, size);
        const sum = [0, 0, 0];
        for (let at = 0; at < data.length; at += 4) for (const channel of [0, 1, 2]) sum[channel] += data[at + channel];
        return sum.map((total) => Math.round(total / (size * size)));
      });
    }

    /** Level in dBFS and the strongest frequency in Hz of what the element plays now. The first call routes
     *  the element's sound through WebAudio, and hears nothing yet. */
    sound() {
      const { srcObject: stream, muted, volume } = this.video;
      if (!this.analyser || stream !== this.listensTo) {
        const context = new AudioContext();
        this.analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
        this.listensTo = stream;
        // WebAudio hears nothing of an element that plays a stream.
        if (stream) context.createMediaStreamSource(stream).connect(this.analyser);
        else context.createMediaElementSource(this.video).connect(this.analyser).connect(context.destination);
      }
      if (stream && (muted || volume === 0)) return { levelDb: -200, peakHz: 0 };
      const { analyser } = this;
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      // A window that is not full yet ends with a few buffers and the gap that routing them here makes: no frequency shows.
      if (samples.subarray(0, 64).every((sample) => sample === 0)) return { levelDb: -200, peakHz: 0 };
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      let peak = 1;
      for (let bin = 2; bin < bins.length; bin += 1) if (bins[bin] > bins[peak]) peak = bin;
      return {
        levelDb: power > 0 ? 10 * Math.log10(power) : -200,
        peakHz: (peak * analyser.context.sampleRate) / analyser.fftSize,
      };
    }

    report() {
      const { video } = this;
      const { buffered } = video;
      return {
        now: performance.now(),
        timeOrigin: performance.timeOrigin,
        frames: this.frames,
        waiting: this.waiting,
        connected: video.isConnected,
        readyState: video.readyState,
        paused: video.paused,
        width: video.videoWidth,
        height: video.videoHeight,
        currentTime: video.currentTime,
        buffered: Array.from({ length: buffered.length }, (_, at) => [buffered.start(at), buffered.end(at)]),
        lagSeconds: buffered.length > 0 ? buffered.end(buffered.length - 1) - video.currentTime : null,
      };
    }
  }

  const probes = new Map();
  const NativeWebSocket = window.WebSocket;
  window.WebSocket = class extends NativeWebSocket {
    constructor(...where) {
      window.roomcamProbe.webSocketOpenedAt ??= performance.now();
      super(...where);
      this.addEventListener('message', ({ data }) => {
        if (typeof data !== 'string') window.roomcamProbe.chunkTimes.push(performance.now());
      });
    }
  };

  window.roomcamProbe = {
    /** When the page began to connect for the first time, on its own clock. */
    webSocketOpenedAt: null,
    /** Whether the clock in the picture is read, which takes the page some time for each frame. */
    readsClock: false,
    /** When binary messages came, which are chunks all of them. */
    chunkTimes: [],
    /** Starts watching an element, or returns the probe that already does. */
    attach(video) {
      if (!probes.has(video)) probes.set(video, new Probe(video));
      return probes.get(video);
    },
    /** Attaches to every video element there is and will be. */
    attachToAll() {
      const attachNew = () => document.querySelectorAll('video').forEach((video) => this.attach(video));
      new MutationObserver(attachNew).observe(document, { childList: true, subtree: true });
      attachNew();
    },
    /** Forgets what was seen so far, of elements that are no longer in the document altogether. */
    forget() {
      for (const [video, probe] of probes) {
        if (video.isConnected) probe.frames = [];
        else probes.delete(video);
      }
    },
    /** When frames were shown from `sinceMs` on, by whichever element that matches, on the page's clock in ms. */
    shownSince(selector, sinceMs) {
      const times = this.of(selector).flatMap(({ frames }) => {
        let first = frames.length;
        while (first > 0 && frames[first - 1][0] >= sinceMs) first -= 1;
        return frames.slice(first).map(([atMs]) => atMs);
      });
      return times.sort((a, b) => a - b);
    },
    /** The probes of the elements that match, in document order; those no longer in the document first. */
    of(selector) {
      return [...probes.values()].filter((probe) => probe.video.matches(selector));
    },
  };
})();
