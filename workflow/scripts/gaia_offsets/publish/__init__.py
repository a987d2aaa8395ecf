"""What is a published map: its columns, its files, and the look-up of a star in it? Read fields first."""
