"""One release as it is served, and the switch to the next one."""
