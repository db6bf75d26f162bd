"""The members of the forecast, one file each, all behind ``vpp.core.ports.Forecaster``."""
