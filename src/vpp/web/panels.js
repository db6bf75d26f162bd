// Panels: the charts of one plant, what they show and how they say it.

import { TimeChart, legend } from "./chart.js";
import { byId } from "./elements.js";
import { percent, power } from "./format.js";

const axisNumber = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

function powerLayers({ hasSolar, hasWind, hasBattery, batteries }) {
  const layers = [];
  if (hasSolar) layers.push({ name: "solar", label: "Solar", kind: "stack", css: "solar" });
  if (hasWind) layers.push({ name: "wind", label: "Wind", kind: "stack", css: "wind" });
  if (hasBattery) layers.push({ name: "discharge", label: batteries, kind: "stack", css: "battery" });
  layers.push({ name: "load", label: "Load", kind: "stack", css: "load" });
  if (hasBattery) layers.push({ name: "charge", label: batteries, kind: "stack", css: "battery", unlisted: true });
  layers.push({ name: "grid_kw", label: "Grid", kind: "line", css: "grid" });
  return layers;
}

const PRICES = [
  { name: "export_price_per_kwh", label: "to feed in", kind: "line", css: "export", thin: true },
  { name: "import_price_per_kwh", label: "to draw", kind: "line", css: "price" },
];
const COSTS = [
  { name: "without", label: "without batteries", kind: "line", css: "without" },
  { name: "cost", label: "with the plan", kind: "line", css: "cost" },
];

/** Return {power, soc, price, money}: the charts of a plant; `on` hears what is asked of them. */
export function makeCharts(facts, format, on) {
  const title = (step) => format.step(step.start, step.step);
  const words = (value, axis) => ({ value, axis, title, format });
  const layers = powerLayers(facts);
  const kw = words(
    (layer, value) => `${power(value)} kW`,
    (value) => axisNumber.format(value),
  );
  const share = words((_, value) => percent(value), (value) => `${Math.round(value * 100)}`);
  const price = words((_, value) => format.price(value), (value) => axisNumber.format(value));
  const money = words((_, value) => format.money(value), (value) => axisNumber.format(value));
  legend(byId("power-legend"), layers);
  legend(byId("price-legend"), [...PRICES].reverse());
  legend(byId("money-legend"), COSTS);
  byId("price-unit").textContent = `${format.currency} per kWh`;
  const charge = [{ name: "soc", label: "Charge", kind: "soft", css: "battery" }];
  return {
    power: new TimeChart(byId("power"), { label: "Power over time in kW", height: 340, layers, zero: true, tell: kw, on }),
    soc: new TimeChart(byId("soc"), { label: "Battery charge over time in percent", height: 190, layers: charge, range: [0, 1], tell: share, on }),
    price: new TimeChart(byId("price"), { label: "Price over time", height: 190, layers: PRICES, zero: true, tell: price, on }),
    money: new TimeChart(byId("money"), { label: "Cost so far over time", height: 210, layers: COSTS, zero: true, tell: money, on: { ...on, pan() {}, zoom() {} } }),
  };
}
