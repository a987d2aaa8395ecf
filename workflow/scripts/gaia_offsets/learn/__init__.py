"""Which absolute magnitudes does a sample learn from its own parallaxes? Read learned first, then training."""
