"""How does data come here: downloads, and queries of a TAP service? Read adql first: what is asked."""
