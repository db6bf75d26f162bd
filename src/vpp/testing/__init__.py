"""Conformance kits for those who write their own parts: each holds an implementation to the contract of one port."""
