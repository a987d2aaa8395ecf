"""What is a column, what is a fault, what is a release of Gaia? Read columns first."""
