// Scale: round numbers on the value axis, round local hours on the time axis.

const HOUR = 3_600_000;
const EVERY_HOURS = [1, 2, 3, 4, 6, 12, 24, 48, 96, 168];

/** Return round tick values that cover [low, high], at most about `most`. */
export function valueTicks(low, high, most) {
  const span = Math.max(high - low, 1e-9);
  const rough = span / most;
  const base = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * base).find((one) => one >= rough * 0.999);
  const ticks = [];
  for (let i = Math.floor(low / step + 1e-9); i <= Math.ceil(high / step - 1e-9); i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** Return {ms, label, day} at round local hours within [from, to], about one per `gap` pixels. */
export function timeTicks(from, to, width, format, gap = 76) {
  const wanted = ((to - from) / HOUR) * (gap / width);
  const every = EVERY_HOURS.find((one) => one >= wanted) ?? 336;
  const minute = format.local(Math.ceil(from / HOUR) * HOUR).minute;
  const ticks = [];
  for (let ms = Math.ceil(from / HOUR) * HOUR - minute * 60_000; ms <= to; ms += HOUR) {
    if (ms < from) continue;
    const { hour } = format.local(ms);
    if (hour === 0) {
      const dayNumber = Math.round(ms / (24 * HOUR));
      if (every <= 24 || dayNumber % (every / 24) === 0) ticks.push({ ms, label: format.day(ms), day: true });
    } else if (every < 24 && hour % every === 0) {
      ticks.push({ ms, label: format.clock(ms), day: false });
    }
  }
  return ticks;
}
