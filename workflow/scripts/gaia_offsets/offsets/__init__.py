"""How large is the offset of a sample, a bin, a pixel, and how sure? Read groups, gaussian, statistics, binned."""
