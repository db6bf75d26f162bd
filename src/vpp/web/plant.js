// Plant: one plant on the page. It asks for what is shown, hears what happens, and keeps the charts on one span.

import { byId, element, show } from "./elements.js";
import { showEvents } from "./events.js";
import { PlantFormat } from "./format.js";
import { Live } from "./live.js";
import { clearNotice, connection, signedOut } from "./notice.js";
import { makeCharts } from "./panels.js";
import { moneySegments, overviewSegments, present, stepAt } from "./series.js";
import { PlantServer, Refusal } from "./server.js";
import { CHOICES, Span } from "./span.js";
import { Tiles } from "./tiles.js";
import { Why } from "./why.js";

const REFRESH_MS = 900;
const TOPICS = ["tick", "schedule", "event", "readings"];
const PHONE = "(max-width: 720px)";
const NARROW = "(max-width: 1080px)";

const iso = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");

export class PlantPage {
  constructor(facts) {
    this.facts = facts;
    this.server = new PlantServer(facts.id);
    this.format = new PlantFormat(facts);
    this.assets = new Map(facts.sites.flatMap((site) => site.assets.map((asset) => [asset.id, { ...asset, site: site.id }])));
    this.site = null;
    this.segments = [];
    this.money = [];
    this.picked = null;
    this.asked = -Infinity;
    const kinds = new Set([...this.assets.values()].map((asset) => asset.kind));
    const has = { hasSolar: kinds.has("solar"), hasWind: kinds.has("wind"), hasBattery: kinds.has("battery") };
    has.batteries = [...this.assets.values()].filter((asset) => asset.kind === "battery").length === 1 ? "Battery" : "Batteries";
    this.span = new Span(Date.parse(facts.now), matchMedia(PHONE).matches ? 12 : 24);
    this.tiles = new Tiles(has, this.format);
    this.why = new Why(this.server, this.format, Date.parse(facts.started_at));
    this.charts = makeCharts(has, this.format, this.gestures());
    this.linked = [this.charts.power, this.charts.soc, this.charts.price];
    this.controls();
    this.header();
  }

  /** Show the plant and keep it fresh. */
  async start() {
    await this.refresh();
    if (!matchMedia(NARROW).matches) this.select(this.span.now);
    this.live = new Live(this.facts.id, TOPICS, {
      onState: (state) => (state === "out" ? signedOut() : this.connected(state)),
      onMessage: (message) => this.hear(message),
    });
  }

  stop() {
    this.live?.close();
    clearTimeout(this.timer);
  }

  connected(state) {
    this.state = state;
    connection(state);
    // while the socket is away, asking tells whether the server is, or the session
    if (state === "wait") this.askAgain();
  }

  hear(message) {
    if (message.now) this.told = Date.parse(message.now);
    this.askAgain();
  }

  /** Ask for everything soon, however often this is called. */
  askAgain() {
    if (this.timer) {
      this.again = true;
      return;
    }
    const wait = Math.max(0, this.asked + REFRESH_MS - performance.now());
    this.timer = setTimeout(async () => {
      this.asked = performance.now();
      try {
        await this.refresh();
      } catch (fault) {
        this.fail(fault);
      } finally {
        this.timer = null;
        if (this.again) {
          this.again = false;
          this.askAgain();
        }
      }
    }, wait);
  }

  fail(fault) {
    if (!(fault instanceof Refusal)) throw fault;
    if (fault.status === 401) {
      this.stop();
      signedOut(fault);
    } else {
      connection("wait");
    }
  }

  async refresh() {
    const margin = this.span.length / 4;
    const query = { start: iso(this.span.from - margin), end: iso(this.span.to + margin), site: this.site };
    const [overview, assets, money, events] = await Promise.all([
      this.server.get("overview", query),
      this.server.get("assets"),
      this.server.get("money"),
      this.server.get("events", { most: 40 }),
    ]);
    clearNotice();
    connection(this.state ?? "wait");
    this.segments = overviewSegments(overview);
    // the present moves with the data that belong to it, not before
    this.span.tick(overview.plan ? Date.parse(overview.plan.start) : (this.told ?? this.span.now));
    this.present();
    // asked in the midst of a tick: what was measured comes a moment later
    if (this.segments.length === 2 && this.segments[0].start + this.segments[0].count * this.segments[0].step < this.segments[1].start) this.askAgain();
    this.money = moneySegments(money);
    this.tiles.powers(present(assets, this.assets, this.site));
    this.tiles.prices(stepAt(this.segments, this.span.now));
    this.tiles.money(money);
    show(byId("money"), this.money.length > 0);
    show(byId("money-empty"), this.money.length === 0);
    byId("money-empty").textContent = money.reason ?? "The first step is still running.";
    showEvents(events, this.format);
    this.draw();
  }

  draw() {
    const shown = { segments: this.segments, span: { from: this.span.from, to: this.span.to }, now: this.span.now, picked: this.picked };
    for (const chart of this.linked) chart.set(shown);
    const [costs] = this.money;
    if (costs) {
      const span = { from: costs.start, to: costs.start + Math.max(costs.count, 24) * costs.step };
      this.charts.money.set({ segments: this.money, span, picked: this.picked });
    }
    show(byId("back-to-now"), !this.span.follow);
    const choice = this.span.choice;
    for (const input of byId("spans").querySelectorAll("input")) input.checked = choice !== null && Number(input.value) === choice.hours;
  }

  gestures() {
    return {
      hover: (ms, chart) => {
        for (const one of Object.values(this.charts)) one.point(ms, one === chart);
      },
      select: (ms) => this.select(ms),
      pan: (ms) => this.moveSpan(() => this.span.pan(ms)),
      zoom: (factor, ms) => this.moveSpan(() => this.span.zoom(factor, ms)),
      move: (steps) => this.step(steps),
      choose: () => this.picked && this.select(this.picked.start),
      home: () => this.moveSpan(() => this.span.home()),
    };
  }

  moveSpan(change) {
    change();
    this.draw();
    this.askAgain();
  }

  /** Move the choice by so many steps, beginning at now. */
  step(steps) {
    const { start, step } = this.picked ?? { start: this.span.now, step: this.facts.resolution_s * 1000 };
    const found = stepAt(this.segments, start + steps * step);
    if (!found) return;
    this.picked = { start: found.start, step: found.step };
    this.span.reveal(this.picked);
    this.draw();
    clearTimeout(this.choosing);
    this.choosing = setTimeout(() => this.select(found.start), 350);
  }

  /** Choose a step and say why. */
  async select(ms, { reveal = true } = {}) {
    const found = stepAt(this.segments, ms) ?? (await this.stepElsewhere(ms).catch((fault) => this.fail(fault)));
    if (!found) return;
    this.picked = { start: found.start, step: found.step };
    this.draw();
    const here = [...this.assets.values()].filter((asset) => asset.kind === "battery" && (this.site === null || asset.site === this.site));
    if (reveal && matchMedia(NARROW).matches) byId("why").scrollIntoView({ behavior: "smooth", block: "start" });
    await this.why.explain(found, here.map((asset) => asset.id));
  }

  /** Return a step that is not on the charts, or not yet. */
  async stepElsewhere(ms) {
    const length = this.facts.resolution_s * 1000;
    const start = Math.floor(ms / length) * length;
    const query = { start: iso(start), end: iso(start + length), site: this.site };
    return stepAt(overviewSegments(await this.server.get("overview", query)), start);
  }

  controls() {
    const scopes = [["", "Whole plant"], ...this.facts.sites.map((site) => [site.id, site.id])];
    byId("scope").replaceChildren(...scopes.map(([value, text]) => element("option", { value, text })));
    show(byId("scope").parentElement, this.facts.sites.length > 1);
    byId("scope").onchange = (event) => {
      this.site = event.target.value || null;
      this.refresh()
        .then(() => this.picked && this.select(this.picked.start, { reveal: false }))
        .catch((fault) => this.fail(fault));
    };
    const choices = CHOICES.map(({ hours, label }) => {
      const input = element("input", { type: "radio", name: "span", value: hours });
      input.onchange = () => this.moveSpan(() => this.span.choose(hours));
      return element("label", { children: [input, element("span", { text: `± ${label}` })] });
    });
    byId("spans").replaceChildren(byId("spans").querySelector("legend"), ...choices);
    byId("zoom-in").onclick = () => this.moveSpan(() => this.span.zoom(1 / 1.5, null));
    byId("zoom-out").onclick = () => this.moveSpan(() => this.span.zoom(1.5, null));
    byId("back-to-now").onclick = () => this.moveSpan(() => this.span.home());
  }

  header() {
    const { name, control, strategy, mode, speed, sites, currency } = this.facts;
    document.title = `${name} · vpp`;
    byId("plant-name").textContent = name;
    const many = sites.length === 1 ? "1 site" : `${sites.length} sites`;
    byId("plant-facts").textContent = `${many} · ${this.assets.size} assets · ${control ? "commands are sent" : "advice only"} · planner: ${strategy}`;
    byId("pace").textContent = mode === "replay" ? `Replay ${Number(speed).toLocaleString("en")}×` : "Real time";
    byId("pace").title = mode === "replay" ? `The recorded past, ${speed} times as fast as it was` : "On the wall clock";
    byId("money-unit").textContent = `${currency} since ${this.format.full(Date.parse(this.facts.started_at))}, whole plant`;
    byId("footer").textContent = `Times are local to ${this.facts.timezone}. Power is positive toward the grid. Left of now is measured, right of it planned.`;
    show(byId("pace"), true);
    show(byId("present"), true);
    this.present();
  }

  present() {
    const { now } = this.span;
    byId("now").textContent = this.format.full(now);
    byId("now").dateTime = iso(now);
    byId("zone").textContent = `${this.facts.timezone.replaceAll("_", " ")} (${this.format.zoneName(now)})`;
  }
}
