"""How does data come here: downloads, and queries of a TAP service? Read templates/crossmatch.adql.j2 first."""
