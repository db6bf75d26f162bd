// Tiles: the plant right now, in figures with their direction said in words.

import { byId, element } from "./elements.js";
import { percent, power, size } from "./format.js";

const IDLE_KW = 0.005;
const BATTERY = { up: "discharging", down: "charging", idle: "holding" };
const GRID = { up: "feeding in", down: "drawing", idle: "balanced" };

/** Return what a signed power does, in words. */
export function direction(value, { up, down, idle }) {
  if (value === null || value === undefined) return "not measured";
  return value > IDLE_KW ? up : value < -IDLE_KW ? down : idle;
}

function tile(name, css) {
  const value = element("p", { className: "value" });
  const note = element("p", { className: "note" });
  const heading = element("h2", { children: [element("span", { className: `swatch ${css}` }), element("span", { text: name })] });
  const node = element("article", { className: "card tile", children: [heading, value, note] });
  return { node, value, note };
}

function tell(one, text, unit, note) {
  one.value.replaceChildren(text, ...(unit ? [element("small", { text: unit })] : []));
  one.note.textContent = note;
}

export class Tiles {
  constructor({ hasWind, hasSolar, batteries }, format) {
    this.format = format;
    this.tiles = { load: tile("Load", "load") };
    if (hasSolar) this.tiles.solar = tile("Solar", "solar");
    if (hasWind) this.tiles.wind = tile("Wind", "wind");
    Object.assign(this.tiles, {
      battery: tile(batteries, "battery"),
      grid: tile("Grid", "grid"),
      price: tile("Price now", "price"),
      saved: tile("Saved so far", "cost"),
    });
    this.bar = element("i");
    const gauge = element("div", { className: "gauge", role: "meter", "aria-label": "State of charge", "aria-valuemin": 0, "aria-valuemax": 100, children: [this.bar] });
    this.gauge = gauge;
    this.tiles.battery.value.after(gauge);
    byId("tiles").replaceChildren(...Object.values(this.tiles).map((one) => one.node));
  }

  /** Show present powers, of the plant or of one site. */
  powers(state) {
    const { load, solar, wind, battery, grid } = this.tiles;
    tell(load, power(state.load), "kW", "used now");
    if (solar) tell(solar, size(state.solar), "kW", state.load > 0 && state.solar !== null ? `${percent(Math.max(state.solar, 0) / state.load)} of the load` : "generated now");
    if (wind) tell(wind, size(state.wind), "kW", "generated now");
    const does = direction(state.battery, BATTERY);
    const stored = state.stored === null ? "" : ` · ${percent(state.soc)}, ${power(state.stored)} kWh`;
    tell(battery, size(state.battery), "kW", `${does}${stored}`);
    this.bar.style.transform = `scaleX(${state.soc ?? 0})`;
    this.gauge.setAttribute("aria-valuenow", Math.round((state.soc ?? 0) * 100));
    tell(grid, size(state.grid), "kW", direction(state.grid, GRID));
  }

  /** Show the price of the present step. */
  prices(step) {
    const { price } = this.tiles;
    const feed = step?.values.export_price_per_kwh;
    tell(price, this.format.price(step?.values.import_price_per_kwh), "/kWh", feed === null || feed === undefined ? "to draw" : `to draw · ${this.format.price(feed)} to feed in`);
  }

  /** Show what the batteries saved. */
  money({ saved, cost, no_battery_cost: without, reason }) {
    const one = this.tiles.saved;
    const last = without.length > 0 ? without[without.length - 1] : null;
    const share = saved !== null && last > 0.01 ? ` · ${percent(Math.abs(saved) / last)} ${saved < 0 ? "more" : "less"}` : "";
    const paid = cost.length > 0 ? cost[cost.length - 1] : 0;
    const sofar = `${this.format.money(Math.abs(paid))} ${paid < 0 ? "earned" : "paid"}${share}`;
    const note = saved === null ? (reason ?? "after the first step") : sofar;
    one.node.classList.toggle("good", saved !== null && saved > 0.005);
    tell(one, this.format.money(saved), null, note);
    one.node.title = "Against the same plant without its batteries; the energy they still hold is counted.";
  }
}
