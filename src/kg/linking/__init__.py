"""Links the rows of a table to records of a release.

- `matching`: candidates for a name, with scores and reasons; `gazetteer` and `evidence` are what it looks things up in
- `review`: the decision for each row, by the matcher or by a person
- `columns`: proposes the columns of a table; `findings`: what is wrong or repaired in its numbers
- `linkset`: the links as RDF to publish
- `sssom`: the same links as a table of mappings
- `batch` and `journal`: `kg link`, which can be interrupted and resumed
"""
