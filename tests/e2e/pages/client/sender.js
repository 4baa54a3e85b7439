// The camera and the microphone of a deployed client: MediaRecorder, begun again for each newcomer.

const TYPES = ['video/webm; codecs=vp8,opus', 'video/webm; codecs=vp9,opus', 'video/webm; codecs=h264,opus'];

export class Sender {
  #recorder;
  #stream;

  /** `cadenceMs`: the time slice of the recorder; `emit(chunk, mimeType)` sends what it makes. */
  constructor({ cadenceMs, emit }) {
    Object.assign(this, { cadenceMs, emit });
  }

  async open() {
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    this.restart();
  }

  get isOpen() {
    return this.#stream !== undefined;
  }

  restart() {
    this.#halt();
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(this.#stream, { mimeType });
    this.#recorder.ondataavailable = ({ data }) => {
      if (data.size > 0) this.emit(data, mimeType);
    };
    this.#recorder.start(this.cadenceMs);
  }

  #halt() {
    if (!this.#recorder) return;
    this.#recorder.ondataavailable = null;
    if (this.#recorder.state !== 'inactive') this.#recorder.stop();
    this.#recorder = undefined;
  }

  close() {
    this.#halt();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = undefined;
  }
}
