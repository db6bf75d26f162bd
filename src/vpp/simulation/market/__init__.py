"""Market: wholesale and retail prices, tariff periods, carbon intensity."""
