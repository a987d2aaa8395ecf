"""What is a simulated survey, a sky with a known truth? Read survey first."""
