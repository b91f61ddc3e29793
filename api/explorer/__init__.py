"""`/explore`: the graph as a picture (`router`), whose state is its URL (`exploration`)."""
