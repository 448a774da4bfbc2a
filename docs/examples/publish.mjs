// A complete voicetop publisher in Node.js: `npm install ws`, then
//
//     node publish.mjs ws://127.0.0.1:8377 [number of calls]
//
// It never blocks a call: events wait in a bounded queue, the oldest are dropped and reported, and it reconnects
// automatically. It delivers at least once: events that the hub has not acknowledged (by a pong) are sent again after a
// reconnect, and the hub drops duplicates by event_id. The token comes from the environment, never from a URL.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";

const QUEUE = 10_000; // events that may wait, and that may be unacknowledged
const FRAME = 500; // events per frame
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
    this.connect();
  }

  /** Queue one event; returns immediately, whatever the network does. */
  emit(type, fields = {}) {
    const event = { type, ts: Date.now() / 1000, event_id: this.newId(), source: this.source, ...fields };
    if (type === "call.start") this.live.set(event.call_id, event);
    if (type === "call.end") this.live.delete(event.call_id);
    this.waiting.push(event);
    if (this.waiting.length > QUEUE) this.dropped += this.waiting.splice(0, this.waiting.length - QUEUE).length;
    this.gather();
  }

  newId() {
    return `${this.run}/${++this.count}`;
  }

  /** Send the queued events and close; true if the hub has read everything within that time. */
  async close(patienceMs = 10_000) {
    const deadline = Date.now() + patienceMs;
    while ((this.waiting.length || this.unacknowledged.length) && Date.now() < deadline) {
      this.ping();
      await sleep(GATHER_MS);
    }
    this.closing = true;
    this.socket.close(1000);
    return !this.waiting.length && !this.unacknowledged.length;
  }

  connect() {
    this.socket = new WebSocket(this.url, { headers: this.headers, perMessageDeflate: false });
    this.socket.on("open", () =>
      this.send({ type: "hello", role: "publisher", source: this.source, protocol: 1 }),
    );
    this.socket.on("message", (data) => this.receive(JSON.parse(data)));
    this.socket.on("pong", (mark) => this.acknowledge(Number(mark)));
    this.socket.on("error", (error) => console.error(`voicetop: ${error.message}; calls go on`));
    this.socket.on("close", (code, reason) => this.reconnect(code, reason));
  }

  receive(frame) {
    if (frame.type !== "welcome") return;
    const restarted = this.epoch !== undefined && this.epoch !== frame.epoch;
    this.epoch = frame.epoch;
    this.offset = Date.now() - frame.at * 1000;
    this.tries = 0;
    this.waiting.unshift(...this.unacknowledged.splice(0)); // in doubt: send again
    if (restarted) {
      const calls = [...this.live.values()].map((call) => ({ ...call, event_id: this.newId() }));
      this.waiting.unshift(...calls);
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
    if (code === 1008) console.error(`voicetop: refused: ${reason}`);
    const pause = Math.min(15_000, 200 * 2 ** this.tries++) * (0.5 + Math.random() / 2);
    setTimeout(() => this.connect(), pause);
  }

  gather() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, GATHER_MS);
  }

  flush() {
    while (this.ready && this.waiting.length && this.unacknowledged.length < QUEUE) {
      const events = this.waiting.splice(0, FRAME);
      this.unacknowledged.push(...events);
      this.send(events);
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

  status() {
    this.send({
      type: "source.status",
      ts: Date.now() / 1000,
      source: this.source,
      active_calls: this.live.size,
      dropped: this.dropped,
      queue: this.waiting.length,
      clock_offset_ms: this.offset,
    });
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
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
  publisher.emit("stage", { call_id, turn: 0, name: "llm", state: "start", provider: "acme-llm" });
  await sleep(30);
  publisher.emit("stage", { call_id, turn: 0, name: "llm", state: "end", provider: "acme-llm" });
  publisher.emit("call.update", { call_id, segments: { intent: "billing" } }); // known late: moves the whole call
  publisher.emit("turn", {
    call_id,
    turn: 0,
    e2e_ms: 903.5,
    measured_from: "vad_stop",
    latency: { vad: 200, stt: 140.5, eou: 83, llm_ttft: 310, tts_ttfb: 170 },
    additive: true,
    user_text: "¿Por qué me cobraron dos veces?",
    agent_text: "Veo dos cargos del día 3.",
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
  publisher.emit("call.end", { call_id, reason: "completed", party: "agent", step: "goodbye", duration_s: 42.5 });
  publisher.emit("call.outcome", { call_id, evaluator: "agent", success: true, sentiment: 4 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const publisher = new Publisher(process.argv[2] ?? "ws://127.0.0.1:8377", { source: "node-example" });
  const calls = Array.from({ length: Number(process.argv[3] ?? 3) }, (_, number) => call(publisher, number));
  await Promise.all(calls);
  const complete = await publisher.close();
  console.log(`${publisher.acknowledged} events of ${calls.length} calls published, ${publisher.dropped} dropped`);
  process.exitCode = complete ? 0 : 1;
}
