"""The only room that joins engines: wiring, the tick, the services and the clocks."""
