"""What specifications demand of this server, tested live.

- `requirements`: the table, one row for each demand
- `run`: sending the requests of the table, and the report
- `router`: the page `/conformance`
- `probe`: the same for any server, for `kg conformance`
"""
