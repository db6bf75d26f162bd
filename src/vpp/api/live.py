"""Live: what happens in a plant, over a WebSocket.

The caller names topics in the address (``?topic=tick&topic=event``) or in a message ``{"topics": ["tick"]}``; all by
default. A reader that is too slow loses the oldest messages and, when nothing gets through for a minute, the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable

from anyio import CapacityLimiter, to_thread
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from vpp.api.auth import Access, Session
from vpp.api.problems import NO_SUCH_PLANT, problem
from vpp.runtime.hub import Subscription
from vpp.runtime.view import PlantView

TOPICS = frozenset({"tick", "readings", "schedule", "event"})
MOST_SOCKETS = 32
WAIT_S = 1.0
SLOWEST_SEND_S = 50.0
FAREWELL_S = 1.0
LARGEST_MESSAGE_CHARS = 4096
WAKE = {"topic": "left"}
SIGNED_OUT, NOT_UNDERSTOOD, TOO_SLOW = 4401, 4400, 4408


def topics_of(names: Iterable[object]) -> frozenset[str]:
    """Return the topics named, all when none is.

    Raises
    ------
    ValueError
        When a name is no topic.
    """
    wanted = frozenset(str(name) for name in names)
    if not wanted <= TOPICS:
        raise ValueError(f"topics are {', '.join(sorted(TOPICS))}")
    return wanted or TOPICS


class LiveSocket:
    """One open socket: a listener for what the caller wants, and a sender of what happened."""

    def __init__(self, socket: WebSocket, session: Session, access: Access, topics: frozenset[str]) -> None:
        self._socket = socket
        self._session = session
        self._access = access
        self.topics = topics

    async def run(self, subscription: Subscription, limiter: CapacityLimiter) -> None:
        """Send until either side has had enough."""
        listener = asyncio.create_task(self._listen())
        listener.add_done_callback(lambda _: subscription.put(WAKE))
        try:
            while not listener.done():
                message = await to_thread.run_sync(subscription.get, WAIT_S, limiter=limiter)
                if not self._access.is_open(self._session):
                    await self._socket.close(SIGNED_OUT, "signed out")
                    return
                if message is not None and message["topic"] in self.topics:
                    await asyncio.wait_for(self._socket.send_text(json.dumps(message, allow_nan=False)), SLOWEST_SEND_S)
        except TimeoutError:
            with contextlib.suppress(TimeoutError):
                # where nothing gets through, a farewell does not either
                await asyncio.wait_for(self._socket.close(TOO_SLOW, "too slow"), FAREWELL_S)
        except WebSocketDisconnect:
            return
        finally:
            listener.cancel()

    async def _listen(self) -> None:
        """Take changes of topics until the caller leaves."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                self.topics = _wish(message.get("text") or "")
            except (ValueError, RecursionError):
                await self._socket.close(NOT_UNDERSTOOD, 'send {"topics": [...]}')
                return


def _wish(text: str) -> frozenset[str]:
    if len(text) > LARGEST_MESSAGE_CHARS:
        raise ValueError("too long")
    document = json.loads(text)
    names = document.get("topics") if isinstance(document, dict) else None
    return topics_of(names if isinstance(names, list) else [names])


async def live(socket: WebSocket) -> None:
    """Serve one socket; the gate has seen who asks and from where."""
    state = socket.app.state
    view: PlantView | None = state.views.get(socket.path_params["plant"])
    if view is None:
        await socket.send_denial_response(problem(404, NO_SUCH_PLANT))
        return
    try:
        topics = topics_of(socket.query_params.getlist("topic"))
    except ValueError as fault:
        await socket.send_denial_response(problem(422, f"query.topic: {fault}"))
        return
    limiter: CapacityLimiter = state.sockets
    if limiter.available_tokens < 1 or state.open_sockets >= MOST_SOCKETS:
        await socket.send_denial_response(problem(503, f"At most {MOST_SOCKETS} sockets are open at once."))
        return
    state.open_sockets += 1
    subscription = view.subscribe()
    try:
        await socket.accept()
        hello = {"topic": "hello", "plant": view.plant_id, "now": view.describe()["now"], "topics": sorted(topics)}
        await socket.send_text(json.dumps(hello))
        await LiveSocket(socket, socket.state.session, state.access, topics).run(subscription, limiter)
    finally:
        subscription.close()
        state.open_sockets -= 1


route = WebSocketRoute("/api/v1/plants/{plant}/live", live, name="live")
