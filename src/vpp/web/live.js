// Live: a socket that comes back by itself, waiting longer after each failure.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SIGNED_OUT = 4401;

export class Live {
  /** `onState` hears "live", "wait" or "out"; `onMessage` hears every message. */
  constructor(plant, topics, { onState, onMessage }) {
    const query = topics.map((topic) => `topic=${topic}`).join("&");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.address = `${scheme}://${location.host}/api/v1/plants/${encodeURIComponent(plant)}/live?${query}`;
    this.onState = onState;
    this.onMessage = onMessage;
    this.failures = 0;
    this.closed = false;
    this.open();
  }

  open() {
    this.onState("wait");
    this.socket = new WebSocket(this.address);
    this.socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (message.topic === "hello") {
        this.failures = 0;
        this.onState("live");
      }
      this.onMessage(message);
    };
    this.socket.onclose = (event) => {
      if (this.closed) return;
      if (event.code === SIGNED_OUT) {
        this.onState("out");
        return;
      }
      this.onState("wait");
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures) * (0.7 + 0.6 * Math.random());
      this.failures += 1;
      this.timer = setTimeout(() => this.open(), wait);
    };
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
