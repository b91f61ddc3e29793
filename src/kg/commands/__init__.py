"""The commands of `kg`, one module for those that need the same; each is imported when it is called."""
