"""Development tools, available in a checkout only: `synthetic` generates data for benchmarks and tests."""
