"""Cloud sync: what a gateway's buffer holds, brought to the platform over HTTP or into any PostgREST table.

Light on import: the parts are imported by name (``vpp.edge.sync.service``, ``vpp.edge.sync.postgrest``, ...).
"""
