"""Compares names and identifiers of organisations, people and laws in the forms in which documents write them.

- `normalization`, `numerals`, `romanization`: normal forms of text
- `forms`, `legal_forms`: forms of a name, such as abbreviations, names of units and legal forms
- `registers`, `identifiers`, `law_numbers`: identifiers with their check digits, and numbers of laws
- `name_profile`: which registers and legal forms a dataset has
"""
