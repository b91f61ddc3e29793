"""Partners' datasets: their descriptions, how they are fetched, and what they may state."""
