// Why: what every battery does in one step, the limit that binds, the worth of a kWh, and the price of the alternative.

import { byId, element } from "./elements.js";
import { percent, power, size } from "./format.js";
import { direction } from "./tiles.js";

const AT_ONCE = 2;
const LIMITS = {
  none: "none",
  soc_max: "the battery is full",
  soc_min: "the battery is empty",
  backup_soc: "the reserve for an outage",
  charge_max_kw: "the battery's charging power",
  discharge_max_kw: "the battery's discharging power",
  import_max_kw: "what the meter may draw",
  export_max_kw: "what the meter may feed in",
};
const BATTERIES = { up: "Batteries give", down: "Batteries take", idle: "Batteries" };
const METER = { up: "Fed in", down: "Drawn", idle: "Grid" };
const DEEDS = { up: "discharge", down: "charge", idle: "hold" };

export class Why {
  /** `begin`: when the first plan was made [ms]. */
  constructor(server, format, begin) {
    this.server = server;
    this.format = format;
    this.begin = begin;
    this.body = byId("why-body");
    this.running = null;
  }

  /** Explain one step ({start, step, ahead, values}) for these batteries. */
  async explain(step, batteries) {
    this.running?.abort();
    const asked = new AbortController();
    this.running = asked;
    const { start, step: length, ahead } = step;
    byId("why-when").textContent = `${this.format.step(start, length)} · ${ahead ? "planned" : "past"}`;
    const early = start < this.begin;
    const rows = early ? [] : batteries.map((id) => ({ id, node: this.waiting(id) }));
    const text = early ? "This was before the first plan: it was measured, not decided here." : "There is no battery here to explain.";
    const nothing = element("p", { className: "empty", text });
    this.body.replaceChildren(this.summary(step), ...(rows.length > 0 ? rows.map((row) => row.node) : [nothing]));
    const queue = [...rows];
    const work = async () => {
      for (let row = queue.shift(); row && !asked.signal.aborted; row = queue.shift()) await this.fill(row, start, asked.signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  summary({ values }) {
    const facts = [
      ["Load", `${size(values.load)} kW`],
      ["Sun and wind", `${power(values.solar === null && values.wind === null ? null : (values.solar ?? 0) + (values.wind ?? 0))} kW`],
      [direction(values.battery, BATTERIES), `${size(values.battery)} kW`],
      [direction(values.grid_kw, METER), `${size(values.grid_kw)} kW`],
      ["Charge", percent(values.soc)],
      ["Price", this.format.price(values.import_price_per_kwh)],
    ];
    const items = facts.map(([name, text]) => element("div", { children: [element("dt", { text: name }), element("dd", { text })] }));
    return element("dl", { className: "step", children: items });
  }

  waiting(id) {
    const head = element("div", { className: "head", children: [element("h3", { text: id }), element("span", { className: "does hold", text: "…" })] });
    return element("article", { className: "reason", children: [head] });
  }

  async fill({ id, node }, start, signal) {
    try {
      const time = new Date(start).toISOString().replace(".000Z", "Z");
      node.replaceChildren(...this.reason(await this.server.get("explain", { asset: id, time }, { signal })));
    } catch (fault) {
      if (fault.name === "AbortError") return;
      const text = fault.status === 409 ? "No plan covered this step." : fault.message;
      node.replaceChildren(node.firstChild, element("p", { className: "fault", text }));
      node.querySelector(".does").textContent = "";
    }
  }

  reason(answer) {
    const deed = direction(answer.power_kw, DEEDS);
    const moving = deed === "charge" ? "Charges" : "Discharges";
    const does = deed === "hold" ? "Holds" : `${moving} ${power(Math.abs(answer.power_kw))} kW`;
    const head = element("div", {
      className: "head",
      children: [element("h3", { text: answer.asset }), element("span", { className: `does ${deed}`, text: does })],
    });
    const facts = [
      ["Charge after", percent(answer.soc)],
      ["Limit that binds", LIMITS[answer.limit] ?? answer.limit.replaceAll("_", " ")],
      ["Worth of a stored kWh", this.format.price(answer.marginal_value_per_kwh)],
      ["Instead", this.alternative(answer)],
    ];
    const list = element("dl", {
      className: "facts",
      children: facts.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]),
    });
    return [head, element("p", { className: "sentence", text: answer.sentence }), list];
  }

  alternative({ alternative_power_kw: other, alternative_cost: cost }) {
    if (other === null || cost === null) return "not computed";
    const deed = direction(other, DEEDS);
    const what = deed === "hold" ? "holding" : `${deed === "charge" ? "charging" : "discharging"} ${power(Math.abs(other))} kW`;
    return Math.abs(cost) < 0.0005 ? `${what} costs the same` : `${what}, ${this.format.cost(Math.abs(cost))} ${cost > 0 ? "dearer" : "cheaper"}`;
  }
}
