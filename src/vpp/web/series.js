// Series: what the API tells of a plant, shaped for the charts.
//
// A segment is a run of equal steps: {start, step, count, ahead, values: {name: [number or null]}}; times in ms.

const LINES = ["soc", "import_price_per_kwh", "export_price_per_kwh", "grid_kw"];

function segmentOf(table, ahead) {
  if (!table || !table.load_kw) return null;
  const battery = table.battery_kw;
  const magnitude = (name) => (table[name] ?? []).map((value) => (value === null ? null : Math.abs(value)));
  const values = {
    solar: magnitude("solar_kw"),
    wind: magnitude("wind_kw"),
    load: magnitude("load_kw").map((value) => (value === null ? null : -value)),
    discharge: battery.map((value) => (value === null ? null : Math.max(value, 0))),
    charge: battery.map((value) => (value === null ? null : Math.min(value, 0))),
    battery,
  };
  for (const name of LINES) values[name] = table[name] ?? [];
  return { start: Date.parse(table.start), step: table.resolution_s * 1000, count: battery.length, ahead, values };
}

/** Return the segments of an overview: measured, then planned. */
export function overviewSegments(overview) {
  return [segmentOf(overview, false), segmentOf(overview.plan, true)].filter((one) => one && one.count > 0);
}

/** Return the segments of the costs so far. */
export function moneySegments(money) {
  const count = money.cost.length;
  if (count === 0) return [];
  const values = { cost: money.cost, without: money.no_battery_cost };
  return [{ start: Date.parse(money.start), step: money.resolution_s * 1000, count, ahead: false, values }];
}

/** Return the step that holds a time: {start, step, ahead, values: {name: number}}, or null. */
export function stepAt(segments, ms) {
  for (const segment of segments) {
    const index = Math.floor((ms - segment.start) / segment.step);
    if (index >= 0 && index < segment.count) {
      const values = Object.fromEntries(Object.entries(segment.values).map(([name, list]) => [name, list[index] ?? null]));
      return { start: segment.start + index * segment.step, step: segment.step, ahead: segment.ahead, values };
    }
  }
  return null;
}

const CONSUMERS = new Set(["load", "ev_charger", "heat_pump", "flexible_load"]);

/** Return the present powers of a plant or one site from the state of its assets. */
export function present(assets, facts, site) {
  const chosen = assets.filter((asset) => site === null || asset.site === site);
  const total = (wanted) => {
    const powers = chosen.filter((asset) => wanted(asset.kind)).map((asset) => asset.power_kw);
    return powers.some((value) => value === null) || powers.length === 0 ? null : powers.reduce((a, b) => a + b, 0);
  };
  let stored = 0;
  let capacity = 0;
  for (const asset of chosen) {
    if (asset.soc === null) continue;
    const size = facts.get(asset.id)?.capacity_kwh ?? 1;
    stored += asset.soc * size;
    capacity += size;
  }
  const load = total((kind) => CONSUMERS.has(kind));
  return {
    load: load === null ? null : Math.abs(load),
    solar: total((kind) => kind === "solar"),
    wind: total((kind) => kind === "wind"),
    battery: total((kind) => kind === "battery"),
    grid: total(() => true),
    soc: capacity > 0 ? stored / capacity : null,
    stored: capacity > 0 ? stored : null,
    capacity,
  };
}
