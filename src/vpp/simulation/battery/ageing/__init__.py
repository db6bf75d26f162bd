"""Ageing laws as published: capacity lost and resistance gained by time (calendar) and by use (cycles).

Scalars in, scalars out, plain arithmetic: the same source runs as Python and compiled.
"""
