"""Who gets in: every route, every way of asking, and what happens to those who guess."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import WebSocketDenialResponse

from vpp.api.auth import CODE_LIFETIME_S, FAILURES_PER_MINUTE, MOST_SESSIONS, SESSION_LIFETIME_S, Access, new_token
from vpp.core.errors import InvalidInputError

PUBLIC = {("GET", "/healthz"), ("GET", "/readyz"), ("POST", "/api/v1/session"), ("GET", "/"), ("GET", "/favicon.ico")}
TOKEN = "Zr2kq1Wm9vXcT7yHs4Lb0NpEgJd8UfAo"
OURS = {"Origin": "http://127.0.0.1:8000"}


def flat(routes: list[BaseRoute]) -> list[BaseRoute]:
    """Every route, also those of routers that are kept as one."""
    found: list[BaseRoute] = []
    for route in routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        found.extend(flat(inner) if inner else [route])
    return found


def addresses(app) -> list[tuple[str, str]]:
    found = []
    for route in flat(app.router.routes):
        if isinstance(route, Mount):
            continue
        path = route.path.replace("{plant}", "two")
        methods = ["WS"] if isinstance(route, WebSocketRoute) else sorted(route.methods - {"HEAD"})
        found.extend((method, path) for method in methods)
    return found


def test_every_route_but_the_public_ones_needs_to_know_who_asks(server) -> None:
    found = addresses(server.app)
    assert set(found) >= PUBLIC
    assert ("GET", "/api/v1/openapi.json") in found
    assert len([one for one in found if one[1].startswith("/api/v1/plants")]) >= 12
    client = server.client()
    for method, path in set(found) - PUBLIC:
        if method == "WS":
            with (
                pytest.raises(WebSocketDenialResponse) as refused,
                client.websocket_connect(f"ws://127.0.0.1:8000{path}"),
            ):
                pass
            assert refused.value.status_code == 401
        else:
            answer = client.request(method, path)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_an_address_that_is_not_there_is_denied_too(server) -> None:
    assert server.client().get("/api/v1/none").status_code == 401
    assert server.client().get("/docs").status_code == 401
    assert server.client(token=TOKEN).get("/api/v1/none").status_code == 404


def test_routes_are_of_a_known_kind(server) -> None:
    assert all(isinstance(one, (APIRoute, Route, Mount, WebSocketRoute)) for one in flat(server.app.router.routes))


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer ÿÿÿ".encode("latin-1"), 401),
        ("Bearer " + "a" * 5000, 401),
    ],
)
def test_a_script_is_known_by_the_whole_token(server, header, status: int) -> None:
    assert server.client().get("/api/v1/plants", headers={"Authorization": header}).status_code == status


@pytest.mark.parametrize("where", ["?token=", "?access_token=", "?code="])
def test_a_token_in_the_address_opens_nothing(server, where: str) -> None:
    assert server.client().get(f"/api/v1/plants{where}{TOKEN}").status_code == 401


def test_a_code_works_once_and_gives_a_cookie_that_scripts_cannot_read(server) -> None:
    code = server.access.new_code()
    client = server.client()
    answer = client.post("/api/v1/session", json={"code": code}, headers=OURS)
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("vpp_session_8000=")
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert code not in cookie
    assert TOKEN.lower() not in cookie
    assert client.get("/api/v1/plants").status_code == 200
    again = server.client().post("/api/v1/session", json={"code": code})
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    assert again.json()["type"] == "urn:vpp:problem:dead_code"


def test_a_code_is_dead_after_ten_minutes(server) -> None:
    code = server.access.new_code()
    server.seconds.now_s += CODE_LIFETIME_S
    assert server.client().post("/api/v1/session", json={"code": code}).status_code == 401


def test_a_session_ends_after_twelve_hours_or_when_signed_out(server) -> None:
    client = server.signed_in()
    server.seconds.now_s += SESSION_LIFETIME_S - 1
    assert client.get("/api/v1/plants").status_code == 200
    server.seconds.now_s += 1
    assert client.get("/api/v1/plants").status_code == 401
    other = server.signed_in()
    held = {"Cookie": "; ".join(f"{name}={value}" for name, value in other.cookies.items())}
    assert server.client().get("/api/v1/plants", headers=held).status_code == 200
    assert other.delete("/api/v1/session", headers=OURS).status_code == 204
    assert server.client().get("/api/v1/plants", headers=held).status_code == 401


def test_sessions_are_bounded_and_the_oldest_goes_first() -> None:
    access = Access(TOKEN)
    ids = [access.exchange(access.new_code()) for _ in range(MOST_SESSIONS + 1)]
    assert access.session(ids[0]) is None
    assert all(access.session(one) is not None for one in ids[1:])


@pytest.mark.parametrize(
    "cookie", ["", "x", "vpp_session_8000=", "vpp_session_8000=wrong", f"vpp_session_8000={TOKEN}", ";=;"]
)
def test_a_cookie_that_is_no_session_opens_nothing(server, cookie: str) -> None:
    assert server.client().get("/api/v1/plants", headers={"Cookie": cookie}).status_code == 401


def test_who_guesses_codes_waits(server) -> None:
    client = server.client()
    tries = [
        client.post("/api/v1/session", json={"code": f"guess{i}"}).status_code for i in range(FAILURES_PER_MINUTE + 3)
    ]
    assert tries == [401] * FAILURES_PER_MINUTE + [429] * 3
    code = server.access.new_code()
    held = client.post("/api/v1/session", json={"code": code})
    assert held.status_code == 429
    assert 0 < int(held.headers["retry-after"]) <= 60
    server.seconds.now_s += 60.5
    assert client.post("/api/v1/session", json={"code": code}).status_code == 204


def test_who_guesses_tokens_waits_and_the_owner_does_not(server) -> None:
    guesser, owner = server.client(token="wrong"), server.client(token=TOKEN)
    tries = [guesser.get("/api/v1/plants").status_code for _ in range(FAILURES_PER_MINUTE + 2)]
    assert tries == [401] * FAILURES_PER_MINUTE + [429] * 2
    assert owner.get("/api/v1/plants").status_code == 200


def test_a_page_elsewhere_cannot_use_up_the_tries(server) -> None:
    foreign = {"Origin": "http://evil.example"}
    for _ in range(FAILURES_PER_MINUTE + 1):
        assert server.client().post("/api/v1/session", json={"code": "x"}, headers=foreign).status_code == 403
    assert server.client().post("/api/v1/session", json={"code": server.access.new_code()}).status_code == 204


@pytest.mark.parametrize("token", ["", "admin", "changeme", "a" * 64, "abababababababababababab"])
def test_a_token_that_is_no_secret_is_refused_at_start(token: str) -> None:
    with pytest.raises(InvalidInputError, match="random characters") as fault:
        Access(token)
    assert not token or token not in str(fault.value)


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) >= 43 for token in tokens)


def test_a_script_gets_a_code_for_one_more_browser(server) -> None:
    code = server.client(token=TOKEN).post("/api/v1/session/codes").json()["code"]
    assert server.client().post("/api/v1/session", json={"code": code}).status_code == 204
