"""Line protocol: readings as InfluxDB takes them.

One line is one value: measurement ``telemetry``, tags ``plant``, ``source`` and ``metric``, field ``value`` in the
metric's unit and the house's sign, whole seconds. The same row again overwrites itself.
Source: InfluxDB v2 documentation, "Line protocol", special characters.
"""

from __future__ import annotations

from vpp.core.messages import Readings, SeriesKey

MEASUREMENT = "telemetry"
FIELD = "value"
_ESCAPED = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def lines_of(readings: Readings) -> list[str]:
    """Return one line for each reading.

    Examples
    --------
    >>> from vpp.core.messages import Reading
    >>> from vpp.core.time import from_epoch_s
    >>> at = from_epoch_s(1_780_315_200)
    >>> lines_of(Readings.of([Reading("homes", SeriesKey("home01", "power_kw"), at, -1.5, at, at)]))
    ['telemetry,metric=power_kw,plant=homes,source=home01 value=-1.5 1780315200']
    """
    heads = [_head(readings.plant, key) for key in readings.keys]
    return [
        f"{heads[series]} {FIELD}={value!r} {time_s}"
        for series, value, time_s in zip(
            readings.series.tolist(), readings.value.tolist(), readings.time_s.tolist(), strict=True
        )
    ]


def _head(plant: str, key: SeriesKey) -> str:
    # tags in alphabetical order cost the server least; one that is empty must be left out
    tags = {"metric": key.metric, "plant": plant, "source": key.source}
    return MEASUREMENT + "".join(f",{name}={value.translate(_ESCAPED)}" for name, value in tags.items() if value)
