"""What does a config say, and what is wrong with it? Read complete first."""
