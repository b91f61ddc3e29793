"""Running a query for a request, and explaining an empty result."""
