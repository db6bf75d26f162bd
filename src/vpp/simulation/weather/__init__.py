"""Weather: the sun, the sky, clouds, warmth and wind at many places, made up or read from files."""

from vpp.simulation.weather.climate import Climate
from vpp.simulation.weather.conditions import Weather
from vpp.simulation.weather.files import read_weather
from vpp.simulation.weather.places import Places
from vpp.simulation.weather.resampling import resampled
from vpp.simulation.weather.sun import SunPosition, sun_position
from vpp.simulation.weather.synthetic import synthetic_weather

__all__ = [
    "Climate",
    "Places",
    "SunPosition",
    "Weather",
    "read_weather",
    "resampled",
    "sun_position",
    "synthetic_weather",
]
