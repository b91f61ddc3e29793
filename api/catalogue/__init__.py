"""What the site offers, for machines: `router` with dataset, dumps, sitemap and robots; `feeds` of changes."""
