// Span: the stretch of time that the charts share. It follows "now" until someone moves it away.

const HOUR = 3_600_000;
const SHORTEST = 2 * HOUR;
const LONGEST = 60 * 24 * HOUR;

export const CHOICES = [
  { hours: 12, label: "12 h" },
  { hours: 24, label: "1 day" },
  { hours: 72, label: "3 days" },
  { hours: 168, label: "7 days" },
];

export class Span {
  constructor(now, hours) {
    this.now = now;
    this.follow = true;
    this.choose(hours);
  }

  get length() {
    return this.to - this.from;
  }

  /** Show so many hours on each side of now. */
  choose(hours) {
    this.follow = true;
    this.from = this.now - hours * HOUR;
    this.to = this.now + hours * HOUR;
  }

  /** Return the choice that is shown, or null. */
  get choice() {
    return this.follow ? (CHOICES.find(({ hours }) => Math.abs(this.length - 2 * hours * HOUR) < HOUR / 60) ?? null) : null;
  }

  /** Let the present move on. */
  tick(now) {
    const moved = now - this.now;
    this.now = now;
    if (this.follow) this.pan(moved, true);
  }

  /** Move by so many milliseconds. */
  pan(ms, follow = false) {
    this.follow = follow;
    this.from += ms;
    this.to += ms;
  }

  /** Show `factor` times as much time around a moment. */
  zoom(factor, around) {
    const length = Math.min(Math.max(this.length * factor, SHORTEST), LONGEST);
    const center = around ?? (this.follow ? this.now : this.from + this.length / 2);
    if (Math.abs(center - this.now) > HOUR / 60) this.follow = false;
    const share = (center - this.from) / this.length;
    this.from = center - share * length;
    this.to = this.from + length;
  }

  /** Go back to the present, keeping the length. */
  home() {
    this.choose(this.length / 2 / HOUR);
  }

  /** Bring a step into sight. */
  reveal({ start, step }) {
    if (start < this.from) this.pan(start - this.from);
    else if (start + step > this.to) this.pan(start + step - this.to);
  }
}
