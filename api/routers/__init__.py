"""One router per kind of address; each module has its `router`."""
