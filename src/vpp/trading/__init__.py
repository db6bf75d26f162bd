"""Money: what a kWh costs and earns, positions sold day-ahead, and the statement of a window."""
