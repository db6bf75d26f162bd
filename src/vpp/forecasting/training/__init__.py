"""Training: which model serves a series, decided on its past only, and how the fitted model is kept."""
