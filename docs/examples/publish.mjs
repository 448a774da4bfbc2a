// A complete voicetop publisher in Node.js: `npm install ws`, then
//
//     node publish.mjs ws://127.0.0.1:8377 [number of calls]
//
// It never blocks a call: events wait in a bounded queue, the oldest are dropped and reported, and it reconnects
// automatically. It delivers at least once: events that the hub has not acknowledged (by a pong) are sent again after a
// reconnect, and the hub drops duplicates by event_id. A turn is told at its first audio, and amended once its words are
// known. At the end, also after SIGTERM, it says goodbye. The token comes from the environment, never from a URL.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

const QUEUE = 10_000; // events that may wait, and that may be unacknowledged
const FRAME = 500; // events per frame
const FRAME_BYTES = 192 * 1024; // bytes per frame, and per event: a hub accepts no larger event
const GATHER_MS = 20; // how long the first event of a frame waits for more
const PING_MS = 1_000;
const STATUS_MS = 5_000;

export class Publisher {
  constructor(url, { source = `node-${process.pid}`, token = process.env.VOICETOP_TOKEN } = {}) {
    this.url = new URL("/publish", url);
    this.source = source;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.waiting = []; // not yet sent
    this.unacknowledged = []; // sent, but no pong since
    this.acknowledged = 0; // how many the hub has read
    this.live = new Map(); // call_id → its call.start, to announce it to a hub that was restarted
    this.dropped = 0;
    this.count = 0;
    this.run = randomBytes(6).toString("hex"); // event ids are unique across restarts
    this.epoch = undefined;
    this.tries = 0;
    this.why = "no answer"; // the last failure
    this.connect();
  }

  /** Queue one event; returns immediately, whatever the network does. */
  emit(type, fields = {}) {
    const event = { type, ts: Date.now() / 1000, event_id: this.newId(), source: this.source, ...fields };
    if (type === "call.start") this.live.set(event.call_id, event);
    if (type === "call.end") this.live.delete(event.call_id);
    this.waiting.push(...this.encode(event));
    if (this.waiting.length > QUEUE) this.dropped += this.waiting.splice(0, this.waiting.length - QUEUE).length;
    this.gather();
  }

  /** The event as it is sent; nothing if no hub would accept it. */
  encode(event) {
    let why;
    try {
      const text = JSON.stringify(event);
      const bytes = Buffer.byteLength(text);
      if (bytes <= FRAME_BYTES) return [{ text, bytes }];
      why = `${bytes} bytes, and a hub accepts ${FRAME_BYTES}`;
    } catch (error) {
      why = error.message;
    }
    if (!this.complained) console.error(`voicetop: dropped a ${event.type} event: ${why}; others are only counted`);
    this.complained = true;
    this.dropped++;
    return [];
  }

  newId() {
    return `${this.run}/${++this.count}`;
  }

  /** Send the queued events, say goodbye and close; true if the hub has read everything within that time. */
  async close(patienceMs = 10_000) {
    const deadline = Date.now() + patienceMs;
    while (this.undelivered() && Date.now() < deadline) {
      this.ping();
      await sleep(GATHER_MS);
    }
    const lost = this.undelivered();
    if (lost) console.error(`voicetop: ${lost} events were not delivered to ${this.url}: ${this.why}`);
    if (this.ready) this.status({ leaving: true }); // after the last event: with no live calls, nobody misses this process
    this.closing = true;
    clearTimeout(this.retry);
    await this.closed();
    return !lost;
  }

  /** Close the socket, and wait a second for the hub to do so too. */
  async closed() {
    const socket = this.socket;
    const gone = new Promise((resolve) => socket.once("close", resolve));
    socket.close(1000);
    if (socket.readyState !== WebSocket.CLOSED) await Promise.race([gone, sleep(1_000, undefined, { ref: false })]);
    socket.terminate();
  }

  undelivered() {
    return this.waiting.length + this.unacknowledged.length;
  }

  connect() {
    this.socket = new WebSocket(this.url, { headers: this.headers, perMessageDeflate: false });
    this.socket.on("open", () =>
      this.send({ type: "hello", role: "publisher", source: this.source, protocol: 1 }),
    );
    this.socket.on("message", (data) => this.receive(JSON.parse(data)));
    this.socket.on("pong", (mark) => this.acknowledge(Number(mark)));
    this.socket.on("error", (error) => this.fail(error.message || error.code));
    this.socket.on("close", (code, reason) => this.reconnect(code, reason));
  }

  fail(why) {
    if (!this.closing && why !== this.why) console.error(`voicetop: ${why}; calls go on`);
    this.why = why;
  }

  receive(frame) {
    if (frame.type !== "welcome") return;
    const restarted = this.epoch !== undefined && this.epoch !== frame.epoch;
    this.epoch = frame.epoch;
    this.offset = Date.now() - frame.at * 1000;
    this.tries = 0;
    this.why = "no answer";
    this.waiting.unshift(...this.unacknowledged.splice(0)); // in doubt: send again
    if (restarted) {
      const calls = [...this.live.values()].map((call) => ({ ...call, event_id: this.newId() }));
      this.waiting.unshift(...calls.flatMap((call) => this.encode(call)));
    }
    this.ready = true;
    this.status();
    this.timers = [setInterval(() => this.status(), STATUS_MS), setInterval(() => this.ping(), PING_MS)];
    this.gather();
  }

  reconnect(code, reason) {
    this.ready = false;
    for (const timer of this.timers ?? []) clearInterval(timer);
    if (this.closing) return;
    if (code === 1008) this.fail(`refused: ${reason}`);
    const pause = Math.min(15_000, 200 * 2 ** this.tries++) * (0.5 + Math.random() / 2);
    this.retry = setTimeout(() => this.connect(), pause);
  }

  gather() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, GATHER_MS);
  }

  /** Frames are bounded in events and in bytes, also when events are sent again. */
  flush() {
    while (this.ready && this.waiting.length && this.unacknowledged.length < QUEUE) {
      let count = 0;
      let bytes = 0;
      while (count < Math.min(FRAME, this.waiting.length)) {
        bytes += this.waiting[count].bytes + 1;
        if (count && bytes > FRAME_BYTES) break;
        count++;
      }
      const events = this.waiting.splice(0, count);
      this.unacknowledged.push(...events);
      this.sendText(`[${events.map((event) => event.text).join()}]`);
    }
  }

  /** The pong confirms that everything sent before this ping was read. */
  ping() {
    if (this.ready && this.unacknowledged.length) {
      this.socket.ping(String(this.acknowledged + this.unacknowledged.length));
    }
  }

  acknowledge(mark) {
    if (!(mark > this.acknowledged)) return;
    this.unacknowledged.splice(0, mark - this.acknowledged);
    this.acknowledged = mark;
    this.gather();
  }

  status(more = {}) {
    this.send({
      type: "source.status",
      ts: Date.now() / 1000,
      source: this.source,
      active_calls: this.live.size,
      dropped: this.dropped,
      queue: this.waiting.length,
      clock_offset_ms: this.offset,
      ...more,
    });
  }

  send(message) {
    this.sendText(JSON.stringify(message));
  }

  sendText(text) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }
}

/** A process that is stopped, as in a rolling deploy, says goodbye first. */
export function leaveOnSignals(publisher) {
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]]) {
    process.once(signal, async () => {
      await publisher.close();
      process.exit(code);
    });
  }
}

/** One call as an agent would report it: every event is sent when it happens. */
async function call(publisher, number) {
  const call_id = `node-call-${number}`;
  publisher.emit("call.start", {
    call_id,
    direction: "inbound",
    agent: { name: "front desk", version: "v42" },
    segments: { language: "es", tier: "gold" },
  });
  publisher.emit("call.step", { call_id, step: "greeting" });
  publisher.emit("turn.start", { call_id, turn: 0 }); // the caller waits from here on
  const user_text = "¿Por qué me cobraron dos veces?";
  publisher.emit("transcript", { call_id, turn: 0, role: "user", text: user_text }); // shown while they wait
  publisher.emit("stage", { call_id, turn: 0, name: "llm", state: "start", provider: "acme-llm" });
  await sleep(30);
  publisher.emit("stage", { call_id, turn: 0, name: "llm", state: "end", provider: "acme-llm" });
  publisher.emit("call.update", { call_id, segments: { intent: "billing" } }); // known late: moves the whole call
  const firstAudio = { call_id, turn: 0, ts: Date.now() / 1000 };
  publisher.emit("turn", {
    ...firstAudio,
    e2e_ms: 903.5,
    measured_from: "vad_stop",
    latency: { vad: 200, stt: 140.5, eou: 83, llm_ttft: 310, tts_ttfb: 170 },
    additive: true,
  });
  publisher.emit("tool", { call_id, turn: 0, name: "get_invoices", state: "ok", duration_ms: 240 });
  publisher.emit("usage", {
    call_id,
    component: "llm",
    provider: "acme",
    model: "large",
    input_tokens: 812,
    output_tokens: 64,
    cost_usd: 0.0021,
  });
  // The same call and turn again: these fields are added, the others stay, and it counts once.
  publisher.emit("turn", { ...firstAudio, user_text, agent_text: "Veo dos cargos del día 3." });
  publisher.emit("call.end", { call_id, reason: "completed", party: "agent", step: "goodbye", duration_s: 42.5 });
  publisher.emit("call.outcome", { call_id, evaluator: "agent", success: true, sentiment: 4 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const publisher = new Publisher(process.argv[2] ?? "ws://127.0.0.1:8377", { source: "node-example" });
  leaveOnSignals(publisher);
  const calls = Array.from({ length: Number(process.argv[3] ?? 3) }, (_, number) => call(publisher, number));
  await Promise.all(calls);
  const complete = await publisher.close();
  console.log(`${publisher.acknowledged} events of ${calls.length} calls published, ${publisher.dropped} dropped`);
  process.exitCode = complete ? 0 : 1;
}
