"""The page in a real browser, on a real plant started by ``vpp up``."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = [pytest.mark.server, pytest.mark.timeout(240)]

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--no-first-run", "--disable-gpu"]
PATIENCE_MS = 20_000
TIME = r"^\w{3}, \d{1,2} \w{3} 2016, \d\d:\d\d$"


@dataclass
class Started:
    """A running ``vpp up``."""

    address: str
    code: str
    token: str

    def new_code(self) -> str:
        request = urllib.request.Request(
            f"{self.address}/api/v1/session/codes", method="POST", headers={"Authorization": f"Bearer {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(json.load(answer)["code"])


@pytest.fixture(scope="module")
def plant() -> Iterator[Started]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from vpp.cli.main import run; run()", "up", "homes", "--port", "0", "--speed", "900"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "400"},
    )
    try:
        yield _read(process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(40)
        finally:
            process.kill()
            process.stdout.close()
    assert process.returncode == 0


def _read(process: subprocess.Popen[str]) -> Started:
    said, address, code = "", None, None
    for line in process.stdout:
        said += line
        if link := re.search(r"(http://\S+)/#code=(\S+)", line):
            address, code = link.groups()
        if token := re.search(r"Bearer ([\w-]+)", line):
            return Started(address, code, token.group(1))
    raise AssertionError(f"vpp up ended without a link:\n{said}")


@pytest.fixture(scope="module")
def browser(need_command: Callable[..., str]) -> Iterator[Browser]:
    path = need_command("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page that remembers what its console said; anything but silence fails at the end."""
    complaints: list[str] = []
    contexts = []

    def make(*, width: int = 1440, height: int = 900, scheme: str = "light", touch: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda fault: complaints.append(str(fault)))
        return page

    make.complaints = complaints
    yield make
    for context in contexts:
        context.close()
    assert not complaints


def ready(page: Page) -> Page:
    expect(page.locator("#connection")).to_have_text("Live", timeout=PATIENCE_MS)
    expect(page.locator(".tile .value").first).to_have_text(re.compile(r"\d.*kW"), timeout=PATIENCE_MS)
    return page


def test_the_link_opens_the_plant_once(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.code}")
    ready(page)
    assert page.url == f"{plant.address}/"
    expect(page.locator("h1")).to_have_text("Eleven homes in Fontana")
    expect(page.locator("#now")).to_have_text(re.compile(TIME))
    expect(page.locator("#zone")).to_contain_text("America/Los Angeles")
    expect(page.locator("#pace")).to_have_text("Replay 900×")
    tiles = page.locator(".tile h2").all_inner_texts()
    assert tiles == ["Load", "Solar", "Batteries", "Grid", "Price now", "Saved so far"]
    page.reload()
    ready(page)
    stranger = open_page()
    stranger.goto(f"{plant.address}/#code={plant.code}")
    expect(stranger.locator("#notice")).to_contain_text("used already")
    expect(stranger.locator("#main")).to_be_hidden()
    assert len(open_page.complaints) == 2, "the browser itself reports the two refusals"
    assert all("401" in one for one in open_page.complaints)
    open_page.complaints.clear()


def test_without_a_code_it_says_what_to_do(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(plant.address)
    expect(page.locator("#notice-title")).to_have_text("Open the link from the terminal")
    expect(page.locator("#connection")).to_have_text("Signed out")
    assert all("401" in one for one in open_page.complaints)
    open_page.complaints.clear()


@pytest.mark.parametrize(("steps", "when"), [(10, "planned"), (-0.5, "past")])
def test_a_click_on_a_step_gives_a_reason_for_every_battery(plant: Started, open_page, steps: float, when: str) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    expect(page.locator(".tile").last).to_contain_text("paid", timeout=PATIENCE_MS)
    box = page.locator("#power svg").bounding_box()
    line = page.locator("#power .now").bounding_box()
    step_px = (box["width"] - 62) / 48
    position = {"x": line["x"] - box["x"] + steps * step_px, "y": box["height"] / 2}
    page.locator("#power svg").click(position=position)
    reasons = page.locator(".reason")
    expect(reasons).to_have_count(11)
    expect(page.locator(".reason .sentence")).to_have_count(11, timeout=60_000)
    expect(page.locator("#why-when")).to_have_text(re.compile(rf"\d\d:00–\d\d:00 · {when}"))
    assert all(len(sentence) > 20 for sentence in page.locator(".reason .sentence").all_inner_texts())
    facts = page.locator(".reason .facts").first
    for name in ("Limit that binds", "Worth of a stored kWh", "Instead"):
        expect(facts).to_contain_text(name)
    expect(page.locator("#power .picked")).to_have_count(1)


def test_a_step_before_the_start_has_no_reason_and_asks_for_none(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    page.get_by_label("± 7 days").check()
    box = page.locator("#power svg").bounding_box()
    page.locator("#power svg").click(position={"x": box["width"] * 0.2, "y": box["height"] / 2})
    expect(page.locator("#why-body .empty")).to_contain_text("before the first plan")
    expect(page.locator(".reason")).to_have_count(0)


def test_one_home_can_be_looked_at_alone(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    page.locator("#scope").select_option("home04")
    expect(page.locator(".reason h3")).to_have_text(["home04_battery"])
    expect(page.locator(".reason .sentence")).to_have_count(1)
    before = page.locator("#why-when").inner_text()
    page.locator("#power svg").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#why-when")).not_to_have_text(before)
    expect(page.locator("#why-when")).to_contain_text("planned")
    expect(page.locator(".reason .sentence")).to_have_count(1)


def test_it_moves_by_itself(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    before = page.locator("#now").get_attribute("datetime")
    expect(page.locator("#now")).not_to_have_attribute("datetime", before, timeout=PATIENCE_MS)


def test_a_lost_connection_is_said_and_made_again(plant: Started, open_page) -> None:
    page = open_page()
    sockets = []

    def through(ours) -> None:
        sockets.append(ours)
        ours.connect_to_server()

    page.route_web_socket(re.compile("/live"), through)
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    page.evaluate(
        "new MutationObserver(([one]) => (window.said ??= []).push(one.target.textContent))"
        ".observe(document.getElementById('connection'), { childList: true })"
    )
    sockets[0].close(code=1012, reason="restart")
    for _ in range(100):
        said = page.evaluate("window.said ?? []")
        if said[-1:] == ["Live"] and "Reconnecting" in said:
            break
        page.wait_for_timeout(100)
    assert "Reconnecting" in said
    assert said[-1] == "Live"
    assert len(sockets) == 2


def test_an_ended_session_is_said(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    assert page.evaluate("fetch('/api/v1/session', { method: 'DELETE' }).then((answer) => answer.status)") == 204
    expect(page.locator("#connection")).to_have_text("Signed out")
    expect(page.locator("#notice-title")).to_have_text("Open the link from the terminal")
    assert all("401" in one for one in open_page.complaints)
    open_page.complaints.clear()


def test_the_keys_and_buttons_move_the_charts(plant: Started, open_page) -> None:
    page = open_page()
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    expect(page.locator("#back-to-now")).to_be_hidden()
    box = page.locator("#power svg").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 150, steps=5)
    page.mouse.up()
    expect(page.locator("#back-to-now")).to_be_visible()
    page.locator("#back-to-now").click()
    expect(page.locator("#back-to-now")).to_be_hidden()
    page.get_by_label("± 3 days").check()
    expect(page.locator("#spans input[value='72']")).to_be_checked()
    page.mouse.move(box["x"] + 300, box["y"] + 150)
    expect(page.locator("#power .tip")).to_be_visible()
    expect(page.locator("#power .tip")).to_contain_text("measured")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1440, 900)])
def test_it_fits_every_screen(plant: Started, open_page, width: int, height: int, scheme: str) -> None:
    page = open_page(width=width, height=height, scheme=scheme, touch=width < 800)
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    page.locator("#power svg").click(position={"x": width * 0.6, "y": 120})
    expect(page.locator(".reason .sentence").first).to_be_visible(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CUT) == []
    folder = os.environ.get("VPP_SCREENSHOTS")
    if folder:
        page.evaluate("scrollTo(0, 0)")
        time.sleep(0.5)
        page.screenshot(path=f"{folder}/page-{width}x{height}-{scheme}.png")
        page.screenshot(path=f"{folder}/page-{width}x{height}-{scheme}-whole.png", full_page=True)


def test_its_words_can_be_read(plant: Started, open_page) -> None:
    """Text stands out from its ground by 4.5 to 1, in both colour schemes."""
    for scheme in ("light", "dark"):
        page = open_page(scheme=scheme)
        page.goto(f"{plant.address}/#code={plant.new_code()}")
        ready(page)
        pairs = page.evaluate(CONTRAST)
        assert min(ratio for _, ratio in pairs) >= 4.5, (scheme, sorted(pairs, key=lambda one: one[1])[:3])


def test_data_never_become_markup(plant: Started, open_page) -> None:
    page = open_page()
    name = "<img src=x onerror=document.title='owned'>"

    def answer(route) -> None:
        document = route.fetch().json()
        document["name"] = name
        document["sites"][0]["id"] = name
        route.fulfill(json=document)

    page.route(re.compile(r"/api/v1/plants/homes$"), answer)
    page.goto(f"{plant.address}/#code={plant.new_code()}")
    ready(page)
    assert page.locator("h1").inner_text() == name
    assert page.locator("h1 img, select img").count() == 0
    assert page.title().startswith("<img")


CUT = """() => [...document.querySelectorAll('.tile .value, h1, h2, button')]
  .filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"""

CONTRAST = """() => {
  const light = ([r, g, b]) => {
    const part = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const found = rgb(getComputedStyle(one).backgroundColor);
      if (found.length === 3 || found[3] > 0.99) return found;
    }
    return [255, 255, 255];
  };
  const words = 'h1, h2, .quiet, .unit, .note, .value, .value small, .badge, .pill, .legend span, .spans span';
  const texts = [...document.querySelectorAll(`${words}, button, .empty, select`)];
  return texts.filter((one) => one.offsetParent && one.textContent.trim()).map((one) => {
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(ground(one))];
    return [one.textContent.trim().slice(0, 30), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}"""
