"""What is kept: every reading with its three times and all its revisions, and every plan, command, answer and event.

Stores are opened by one URL with ``vpp.store.open.open_store``; they all answer alike, which
``vpp.testing.store.check_store`` proves.
"""
