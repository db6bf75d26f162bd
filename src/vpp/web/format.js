// Format: numbers with their units, money in the plant's currency, times in the plant's zone.

const DASH = "–";

const plain = (digits, least = digits) =>
  new Intl.NumberFormat("en", { maximumFractionDigits: digits, minimumFractionDigits: least });
const FINE = plain(2);
const USUAL = plain(1);
const WHOLE = plain(0);

/** Return a power as text without unit; small ones get more digits. */
export function power(value) {
  if (value === null || value === undefined) return DASH;
  const size = Math.abs(value);
  if (size < 0.005) return "0";
  return (size >= 100 ? WHOLE : size >= 10 ? USUAL : FINE).format(value);
}

/** Return the magnitude of a power as text without unit. */
export function size(value) {
  return power(value === null || value === undefined ? null : Math.abs(value));
}

/** Return a share (0 to 1) as whole percent. */
export function percent(value) {
  return value === null || value === undefined ? DASH : `${WHOLE.format(value * 100)} %`;
}

/** Formatters that need to know the plant. */
export class PlantFormat {
  constructor({ timezone, currency }) {
    this.timezone = timezone;
    this.currency = currency;
    const zoned = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: timezone, ...options });
    this.clockFormat = zoned({ hour: "2-digit", minute: "2-digit" });
    this.dayFormat = zoned({ weekday: "short", day: "numeric", month: "short" });
    this.fullFormat = zoned({ weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
    this.nameFormat = zoned({ timeZoneName: "short", hour: "2-digit" });
    this.partsFormat = zoned({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this.moneyFormat = this.currencyFormat(2, 2);
    this.priceFormat = this.currencyFormat(2, 3);
    this.localCache = new Map();
  }

  currencyFormat(least, most) {
    const digits = { minimumFractionDigits: least, maximumFractionDigits: most };
    try {
      return new Intl.NumberFormat("en", { style: "currency", currency: this.currency, ...digits });
    } catch {
      const number = new Intl.NumberFormat("en", digits);
      return { format: (value) => `${number.format(value)} ${this.currency}` };
    }
  }

  money(value) {
    return value === null || value === undefined ? DASH : this.moneyFormat.format(Math.abs(value) < 0.005 ? 0 : value);
  }

  /** Return a sum that may be small; under ten cents it keeps more digits. */
  cost(value) {
    return (Math.abs(value) < 0.1 ? this.priceFormat : this.moneyFormat).format(value);
  }

  price(value) {
    return value === null || value === undefined ? DASH : this.priceFormat.format(value);
  }

  clock(ms) {
    return this.clockFormat.format(ms);
  }

  day(ms) {
    return this.dayFormat.format(ms);
  }

  full(ms) {
    return this.fullFormat.format(ms);
  }

  /** Return a step as words, e.g. "Tue, 2 Aug, 17:00–18:00". */
  step(ms, lengthMs) {
    return `${this.day(ms)}, ${this.clock(ms)}–${this.clock(ms + lengthMs)}`;
  }

  /** Return the short name of the zone at a time, e.g. "GMT-7" or "CEST". */
  zoneName(ms) {
    const part = this.nameFormat.formatToParts(ms).find((one) => one.type === "timeZoneName");
    return part ? part.value : this.timezone;
  }

  /** Return the local hour and minute at a time. */
  local(ms) {
    let found = this.localCache.get(ms);
    if (!found) {
      const parts = Object.fromEntries(this.partsFormat.formatToParts(ms).map((part) => [part.type, Number(part.value)]));
      found = { hour: parts.hour, minute: parts.minute };
      if (this.localCache.size > 20000) this.localCache.clear();
      this.localCache.set(ms, found);
    }
    return found;
  }
}
