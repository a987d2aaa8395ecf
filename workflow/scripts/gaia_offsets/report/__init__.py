"""How do figures and pages look? Read style first, then the figure or page that you are after."""
