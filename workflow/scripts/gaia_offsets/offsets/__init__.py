"""How large is the offset of a sample, a bin, a pixel, and how sure is that? Start here: statistics, then binned."""
