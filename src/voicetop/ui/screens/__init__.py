"""The screens: each owns its view state (cursor, sort, filter) and turns a Scene into lines. No Textual in here."""
