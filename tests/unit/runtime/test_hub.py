from __future__ import annotations

import threading

from vpp.runtime.hub import DEPTH, Hub, Subscription


def test_everyone_hears_what_is_published_after_joining() -> None:
    hub = Hub()
    hub.publish({"n": 0})
    first, second = hub.subscribe(), hub.subscribe()
    hub.publish({"n": 1})
    assert first.get(0.0) == second.get(0.0) == {"n": 1}
    assert first.get(0.001) is None


def test_a_full_listener_loses_the_oldest_and_knows_how_many() -> None:
    hub = Hub()
    slow = hub.subscribe()
    for n in range(DEPTH + 10):
        hub.publish({"n": n})
    assert slow.dropped == 10
    assert [message["n"] for message in iter(lambda: slow.get(0.0), None)] == list(range(10, DEPTH + 10))


def test_a_listener_that_never_reads_blocks_no_one() -> None:
    hub = Hub()
    hub.subscribe()
    done = threading.Event()

    def publish() -> None:
        for n in range(20 * DEPTH):
            hub.publish({"n": n})
        done.set()

    threading.Thread(target=publish, daemon=True).start()
    assert done.wait(10.0)


def test_a_closed_listener_hears_nothing_and_closing_twice_does_no_harm() -> None:
    hub = Hub()
    gone = hub.subscribe()
    gone.close()
    gone.close()
    hub.publish({"n": 1})
    assert gone.get(0.0) is None


def test_many_publishers_and_a_reader_lose_only_what_is_counted() -> None:
    hub = Hub()
    listener = Subscription(hub, depth=8)
    hub._listeners.add(listener)
    each, threads, heard = 500, 4, []
    writers = [threading.Thread(target=lambda: [hub.publish({"n": n}) for n in range(each)]) for _ in range(threads)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        heard.append(listener.get(0.01))
    while (message := listener.get(0.0)) is not None:
        heard.append(message)
    assert len([message for message in heard if message is not None]) + listener.dropped == each * threads
