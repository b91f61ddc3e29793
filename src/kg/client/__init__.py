"""The graph in a notebook: queries as data frames with typed columns, records with evidence, names linked to records.

`Graph` asks a server, or a release in a folder of this machine. It imports `kg.linking` and below; pandas is imported
when the first frame is made (`pip install aikg[client]`).

- `graph`: the graph
- `frames`: results as data frames
"""

from kg.client.graph import Graph as Graph
