"""HTTP and WebSocket face of the plants: parse, call one method of a view, format."""
