"""Is a map right: its errors of other kinds, and simulated skies against their truth? Read errors first."""
