"""The gateway beside the devices: drivers that poll them, a buffer that survives outages, a guard on every command."""
