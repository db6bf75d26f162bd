"""Streams: how readings come in. The bus in memory, a user's files, quality flags, replay.

Light on import: the rooms' modules are imported by name (``vpp.streams.memory``, ``vpp.streams.table``, ...).
"""
