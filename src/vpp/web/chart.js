// Chart: values over time as stacked step areas and step lines, measured on one side of "now" and planned on the other.

import { element, shape } from "./elements.js";
import { listen } from "./gestures.js";
import { extent, stack, stepArea, stepLine } from "./paths.js";
import { timeTicks, valueTicks } from "./scale.js";
import { stepAt } from "./series.js";

const MARGIN = { top: 22, right: 12, bottom: 26, left: 50 };
let charts = 0;

export class TimeChart {
  /**
   * `layers`: [{name, label, kind: "stack" | "line" | "soft", css}], drawn in order; "soft" is a line with a light area.
   * `tell`: {value(layer, number) -> text, axis(number) -> text, title(step) -> text}.
   * `on`: {hover(ms or null, chart), select(ms), pan(ms), zoom(factor, ms or null), move(steps), choose(), home()}.
   */
  constructor(host, { label, height, layers, range = null, zero = false, tell, on }) {
    this.host = host;
    this.label = label;
    this.height = height;
    this.layers = layers;
    this.range = range;
    this.zero = zero;
    this.tell = tell;
    this.on = on;
    this.segments = [];
    this.span = null;
    this.now = null;
    this.picked = null;
    this.id = `chart-${(charts += 1)}`;
    this.build();
  }

  build() {
    this.svg = shape("svg", { height: this.height, tabindex: 0, role: "group", "aria-label": this.label, "aria-describedby": "chart-help" });
    const clip = shape("clipPath", { id: this.id });
    this.window = shape("rect", { y: 0, height: this.height - MARGIN.bottom });
    clip.append(this.window);
    this.drawing = shape("g");
    this.cross = shape("line", { class: "cross", y1: MARGIN.top - 6, y2: this.height - MARGIN.bottom });
    this.cross.setAttribute("visibility", "hidden");
    this.svg.append(clip, this.drawing, this.cross);
    this.tip = element("div", { className: "tip" });
    this.tip.hidden = true;
    this.host.replaceChildren(this.svg, this.tip);
    listen(this.svg, {
      hover: (x) => this.on.hover(x === null ? null : this.timeAt(x), this),
      select: (x) => this.on.select(this.timeAt(x)),
      pan: (pixels) => this.on.pan((-pixels * (this.span.to - this.span.from)) / this.inner),
      zoom: (factor, x) => this.on.zoom(factor, x === null ? null : this.timeAt(x)),
      move: (steps) => this.on.move(steps),
      choose: () => this.on.choose(),
      home: () => this.on.home(),
    });
    new ResizeObserver(() => this.draw()).observe(this.host);
  }

  /** Show segments over a span {from, to} [ms]; `now` and `picked` ({start, step}) are marked when given. */
  set({ segments = this.segments, span = this.span, now = this.now, picked = this.picked }) {
    Object.assign(this, { segments, span, now, picked });
    this.draw();
  }

  get inner() {
    return Math.max(this.width - MARGIN.left - MARGIN.right, 10);
  }

  x(ms) {
    return MARGIN.left + ((ms - this.span.from) / (this.span.to - this.span.from)) * this.inner;
  }

  timeAt(x) {
    return this.span.from + ((x - MARGIN.left) / this.inner) * (this.span.to - this.span.from);
  }

  draw() {
    this.width = this.host.clientWidth;
    if (!this.span || this.width < 40) return;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.window.setAttribute("x", MARGIN.left);
    this.window.setAttribute("width", this.inner);
    const ticks = this.ticks();
    const [low, high] = [ticks[0], ticks[ticks.length - 1]];
    const bottom = this.height - MARGIN.bottom;
    this.y = (value) => bottom - ((value - low) / (high - low)) * (bottom - MARGIN.top);
    const data = shape("g", { "clip-path": `url(#${this.id})` });
    this.drawData(data);
    this.drawing.replaceChildren(...this.background(bottom), ...this.valueAxis(ticks), data, ...this.timeAxis(bottom), ...this.marks(bottom));
  }

  ticks() {
    const seen = extent(this.segments, this.layers, this.span.from, this.span.to);
    let [low, high] = this.range ?? seen ?? [0, 1];
    if (this.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
    const ticks = valueTicks(low, high, Math.max(3, Math.round(this.height / 52)));
    return ticks.length > 1 ? ticks : [low, high];
  }

  background(bottom) {
    if (this.now === null || this.now >= this.span.to) return [];
    const x = Math.max(this.x(this.now), MARGIN.left);
    const width = this.width - MARGIN.right - x;
    return [shape("rect", { class: "future", x, y: MARGIN.top, width, height: bottom - MARGIN.top })];
  }

  valueAxis(ticks) {
    return ticks.flatMap((value) => {
      const y = Math.round(this.y(value)) + 0.5;
      const css = value === 0 && this.zero ? "zero" : "rule";
      return [
        shape("line", { class: css, x1: MARGIN.left, x2: this.width - MARGIN.right, y1: y, y2: y }),
        shape("text", { class: "tick", x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, this.tell.axis(value)),
      ];
    });
  }

  timeAxis(bottom) {
    let last = -Infinity;
    return timeTicks(this.span.from, this.span.to, this.inner, this.tell.format).flatMap(({ ms, label, day }) => {
      const x = this.x(ms);
      const half = label.length * 3.2;
      if (x - half < last || x - half < MARGIN.left - 26 || x + half > this.width + 2) return [];
      last = x + half + 6;
      return [
        shape("line", { class: "rule", x1: x, x2: x, y1: bottom, y2: bottom + 5 }),
        shape("text", { class: day ? "tick day" : "tick", x, y: bottom + 19, "text-anchor": "middle" }, label),
      ];
    });
  }

  drawData(group) {
    for (const segment of this.segments) {
      const x = (i) => this.x(segment.start + i * segment.step);
      const ahead = segment.ahead ? " ahead" : "";
      const stacked = this.layers.filter((layer) => layer.kind === "stack");
      stack(stacked, segment.values, segment.count).forEach(({ low, high }, i) => {
        group.append(shape("path", { class: `area ${stacked[i].css}${ahead}`, d: stepArea(low, high, x, this.y) }));
      });
      for (const layer of this.layers.filter((one) => one.kind !== "stack")) {
        const values = segment.values[layer.name] ?? [];
        if (layer.kind === "soft") {
          const floor = values.map(() => Math.max(0, this.range?.[0] ?? 0));
          const top = values.map((value) => value ?? null);
          group.append(shape("path", { class: `soft ${layer.css}${ahead}`, d: stepArea(floor, top, x, this.y) }));
        }
        group.append(shape("path", { class: `stroke ${layer.css}${ahead} ${layer.thin ? "thin" : ""}`, d: stepLine(values, x, this.y) }));
      }
    }
  }

  marks(bottom) {
    const marks = [];
    if (this.picked) {
      const from = Math.max(this.x(this.picked.start), MARGIN.left);
      const to = Math.min(this.x(this.picked.start + this.picked.step), this.width - MARGIN.right);
      if (to > from) marks.push(shape("rect", { class: "picked", x: from, y: MARGIN.top, width: to - from, height: bottom - MARGIN.top, rx: 2 }));
    }
    if (this.now !== null && this.now >= this.span.from && this.now <= this.span.to) {
      const x = this.x(this.now);
      marks.push(
        shape("line", { class: "now", x1: x, x2: x, y1: MARGIN.top - 4, y2: bottom }),
        shape("rect", { class: "now-flag", x: x - 18, y: 1, width: 36, height: 17, rx: 8.5 }),
        shape("text", { class: "now-text", x, y: 13.5 }, "now"),
      );
    }
    return marks;
  }

  /** Mark a time under the pointer; the chart that is pointed at also tells the values there. */
  point(ms, withTip) {
    const step = ms === null ? null : stepAt(this.segments, ms);
    const inside = step !== null && this.span && ms >= this.span.from && ms <= this.span.to;
    this.cross.setAttribute("visibility", inside ? "visible" : "hidden");
    this.tip.hidden = !(inside && withTip);
    if (!inside) return;
    const x = this.x(step.start + step.step / 2);
    this.cross.setAttribute("x1", x);
    this.cross.setAttribute("x2", x);
    if (withTip) this.showTip(step, x);
  }

  showTip(step, x) {
    const rows = this.layers.flatMap((layer) => {
      const value = step.values[layer.name];
      if (value === null || value === undefined || (layer.kind === "stack" && Math.abs(value) < 0.005)) return [];
      const swatch = element("span", { className: `swatch ${layer.kind === "stack" ? "" : "line"} ${layer.css}` });
      return [swatch, element("dt", { text: layer.label }), element("dd", { text: this.tell.value(layer, value) })];
    });
    this.tip.replaceChildren(
      element("h3", { text: this.tell.title(step) }),
      element("p", { text: step.ahead ? "planned" : "measured" }),
      element("dl", { children: rows }),
    );
    const size = this.tip.getBoundingClientRect();
    const left = x + 14 + size.width > this.width ? x - 14 - size.width : x + 14;
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${MARGIN.top}px)`;
  }
}

/** Fill a legend with the names of layers. */
export function legend(host, layers) {
  const items = layers
    .filter((layer) => !layer.unlisted)
    .map((layer) => {
      const css = layer.kind === "stack" ? "" : layer.thin ? "line dashed" : "line";
      return element("li", { children: [element("span", { className: `swatch ${css} ${layer.css}` }), element("span", { text: layer.label })] });
    });
  host.replaceChildren(...items);
}
