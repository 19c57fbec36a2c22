"""How much room is left: the report, the counts that fit, and what to add where they do not."""
