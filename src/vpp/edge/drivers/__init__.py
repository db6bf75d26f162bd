"""Drivers of real devices, one protocol each: Modbus, SunSpec, MQTT and OCPP; the signs of devices are turned here."""
