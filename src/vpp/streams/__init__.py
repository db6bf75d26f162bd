"""Streams: how readings come in. The bus in memory, on MQTT and on Kafka; the wire; files, quality flags, replay.

Light on import: the rooms' modules are imported by name (``vpp.streams.open``, ``vpp.streams.table``, ...).
"""
