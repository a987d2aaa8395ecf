"""How is a catalogue of yours corrected, and the mean parallax of a group? Read apply first."""
