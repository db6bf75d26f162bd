"""Ingestion: parcels from a bus are read, judged and kept; what cannot be kept is put aside with its reason."""
