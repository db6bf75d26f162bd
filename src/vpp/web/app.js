// App: sign in, choose a plant, show it.

import { byId, element, show } from "./elements.js";
import { connection, notice, signedOut } from "./notice.js";
import { PlantPage } from "./plant.js";
import { PlantServer, plants, Refusal, signIn } from "./server.js";

let page = null;

async function open(plant) {
  page?.stop();
  page = new PlantPage(await new PlantServer(plant).get(""));
  await page.start();
}

function choosePlant(all) {
  const wanted = new URLSearchParams(location.search).get("plant");
  const first = all.some((one) => one.id === wanted) ? wanted : all[0].id;
  const choice = byId("plant");
  choice.replaceChildren(...all.map((one) => element("option", { value: one.id, text: one.name })));
  choice.value = first;
  choice.onchange = () => guarded(() => open(choice.value));
  show(byId("plant-choice"), all.length > 1);
  return first;
}

async function start() {
  let refused = null;
  try {
    await signIn();
  } catch (fault) {
    // a link that was used before is no harm where this browser is signed in already
    if (!(fault instanceof Refusal) || fault.status === 0) throw fault;
    refused = fault;
  }
  let all;
  try {
    all = await plants();
  } catch (fault) {
    throw refused && fault.status === 401 ? refused : fault;
  }
  if (all.length === 0) {
    notice({ title: "No plant yet", text: "Write a plant file and start it:", command: "vpp init my-plant.yaml\nvpp up my-plant.yaml" });
    return;
  }
  await open(choosePlant(all));
}

async function guarded(work) {
  try {
    await work();
  } catch (fault) {
    if (!(fault instanceof Refusal)) throw fault;
    if (fault.status === 401) {
      signedOut(fault);
      return;
    }
    connection("wait");
    notice({ title: fault.title, text: fault.message, retry: () => guarded(start) });
  }
}

guarded(start);
