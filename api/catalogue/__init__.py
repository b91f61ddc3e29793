"""The dataset description, dumps, sitemap and feeds."""
