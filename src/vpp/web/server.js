// Server: the one place that speaks to the API; a refused request becomes a Refusal that carries the reason in words.

export class Refusal extends Error {
  constructor(status, { title = "Refused", detail = "", type = "" } = {}) {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.kind = type.split(":").pop();
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, { credentials: "same-origin", ...options });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refusal(0, { title: "The server does not answer", detail: "Is it still running? Start it again with: vpp up" });
  }
  if (response.status === 204) return null;
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, document);
  return document;
}

/** Exchange the one-time code of the address for a session, and take the code out of the address. */
export async function signIn() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) return;
  history.replaceState(null, "", location.pathname + location.search);
  await ask("session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code }) });
}

/** Return the plants one may see. */
export function plants() {
  return ask("plants");
}

/** What one plant can be asked. */
export class PlantServer {
  constructor(plant) {
    this.plant = plant;
  }

  get(what, query = {}, options = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
    const search = new URLSearchParams(given).toString();
    const path = ["plants", encodeURIComponent(this.plant), ...(what ? [what] : [])].join("/");
    return ask(search ? `${path}?${search}` : path, options);
  }
}
