"""What does the paper say besides: Figs. 1 to 3, the error budget, and each statement tested? Read claims first."""
