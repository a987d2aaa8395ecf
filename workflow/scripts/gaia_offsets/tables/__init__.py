"""How is a file read into standard columns, and which values are refused? Read contracts first, then read."""
