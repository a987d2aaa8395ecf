"""Which stars are in a sample, what is their reference, which correction has Gaia's parallax? Read selection first."""
