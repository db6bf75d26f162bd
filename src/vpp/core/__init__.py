"""The nouns of the house: units, time, series, assets, storage, curves, messages, ports, errors, extras.

Everyone may import this room; it imports nobody but the standard library, numpy and pandas.
"""
