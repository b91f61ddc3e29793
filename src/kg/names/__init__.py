"""Compares names and identifiers of organisations, people and laws in the forms in which documents write them.

- `normalization`, `numerals`, `romanization`: normal forms of text
- `forms`: forms of a name, such as abbreviations and names of units
- `identifiers`, `law_numbers`: identifiers with their check digits, and numbers of laws
"""
