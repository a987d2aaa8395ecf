"""Where is a star: pixels, frames, its neighbours in another table? Read positions first."""
