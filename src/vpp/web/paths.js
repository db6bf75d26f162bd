// Paths: step areas and step lines as SVG path data; a missing value leaves a gap.

const round = (value) => Math.round(value * 10) / 10;

/** Return the path of a step line through `values`; `x(i)` and `y(value)` give pixels. */
export function stepLine(values, x, y) {
  let path = "";
  let broken = true;
  values.forEach((value, i) => {
    if (value === null || value === undefined) {
      broken = true;
      return;
    }
    const height = round(y(value));
    path += broken ? `M${round(x(i))} ${height}` : `V${height}`;
    path += `H${round(x(i + 1))}`;
    broken = false;
  });
  return path;
}

/** Return the path of the area between two step lines. */
export function stepArea(low, high, x, y) {
  let path = "";
  let from = 0;
  while (from < high.length) {
    while (from < high.length && high[from] === null) from += 1;
    let to = from;
    while (to < high.length && high[to] !== null) to += 1;
    if (to > from) {
      let there = `M${round(x(from))} ${round(y(high[from]))}`;
      let back = "";
      for (let i = from; i < to; i += 1) there += `V${round(y(high[i]))}H${round(x(i + 1))}`;
      for (let i = to - 1; i >= from; i -= 1) back += `V${round(y(low[i]))}H${round(x(i))}`;
      path += `${there}${back}Z`;
    }
    from = to;
  }
  return path;
}

/** Return, for each layer in order, where its band begins and ends when layers of one sign are stacked. */
export function stack(layers, values, count) {
  const up = new Float64Array(count);
  const down = new Float64Array(count);
  return layers.map(({ name }) => {
    const low = new Array(count);
    const high = new Array(count);
    for (let i = 0; i < count; i += 1) {
      const value = values[name]?.[i] ?? null;
      const pile = value !== null && value < 0 ? down : up;
      low[i] = pile[i];
      pile[i] += value ?? 0;
      // nothing is drawn for nothing: a band without height would leave its outline
      high[i] = value ? pile[i] : null;
    }
    return { low, high };
  });
}

/** Return the smallest and largest value that is drawn within [from, to], as [low, high], or null for none. */
export function extent(segments, layers, from, to) {
  const stacked = layers.filter((layer) => layer.kind === "stack");
  const lines = layers.filter((layer) => layer.kind !== "stack");
  let low = Infinity;
  let high = -Infinity;
  const see = (value) => {
    if (value === null || value === undefined) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  };
  for (const segment of segments) {
    const first = Math.max(0, Math.floor((from - segment.start) / segment.step));
    const last = Math.min(segment.count, Math.ceil((to - segment.start) / segment.step));
    for (let i = first; i < last; i += 1) {
      let up = 0;
      let down = 0;
      for (const { name } of stacked) {
        const value = segment.values[name]?.[i] ?? 0;
        if (value < 0) down += value;
        else up += value;
      }
      if (stacked.length > 0) {
        see(up);
        see(down);
      }
      for (const { name } of lines) see(segment.values[name]?.[i]);
    }
  }
  return low <= high ? [low, high] : null;
}
