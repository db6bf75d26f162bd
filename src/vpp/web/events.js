// Events: what an operator should know, newest first.

import { byId, element, show } from "./elements.js";

const MOST = 40;

/** Show events. */
export function showEvents(events, format) {
  const items = events.slice(0, MOST).map((event) =>
    element("li", {
      className: ["warning", "error"].includes(event.severity) ? event.severity : "info",
      children: [
        element("span", { className: "dot", role: "img", "aria-label": event.severity }),
        element("p", { text: event.message }),
        element("time", { text: format.full(Date.parse(event.at)), datetime: event.at }),
      ],
    }),
  );
  byId("events").replaceChildren(...items);
  show(byId("events-empty"), items.length === 0);
}
