// Notice: what to do when there is nothing to show.

import { byId, show } from "./elements.js";

/** Show a notice in place of the page; `command` is shown as typed text, `retry` puts a button below. */
export function notice({ title, text, command = null, retry = null }) {
  byId("notice-title").textContent = title;
  byId("notice-text").textContent = text;
  byId("notice-command").textContent = command ?? "";
  show(byId("notice-command"), command !== null);
  show(byId("notice-retry"), retry !== null);
  byId("notice-retry").onclick = retry;
  show(byId("notice"), true);
  show(byId("main"), false);
}

/** Put the page in place of the notice. */
export function clearNotice() {
  show(byId("notice"), false);
  show(byId("main"), true);
}

/** Say how the connection is: "live", "wait" or "out". */
export function connection(state) {
  const pill = byId("connection");
  const words = { live: "Live", wait: "Reconnecting", out: "Signed out" };
  if (pill.dataset.state !== state || pill.textContent !== words[state]) {
    pill.dataset.state = state;
    pill.textContent = words[state];
  }
  byId("main").classList.toggle("stale", state !== "live");
}

/** Explain how to sign in. */
export function signedOut({ kind = "", message = "" } = {}) {
  const why = ["dead_code", "too_many"].includes(kind) ? `${message} ` : "";
  connection("out");
  notice({
    title: "Open the link from the terminal",
    text: `${why}The link that "vpp up" printed signs one browser in, once, within ten minutes. For one more browser ask for a code with the token that stands below the link, and open the address with it:`,
    command: `curl -X POST -H "Authorization: Bearer $TOKEN" ${location.origin}/api/v1/session/codes\n${location.origin}/#code=…`,
  });
}
