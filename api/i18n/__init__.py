"""Languages of the interface.

- `texts`: the interface texts, by language and key
- `language`: the language of a request
- `values`: dates, numbers and amounts in each language
"""
