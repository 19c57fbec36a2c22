"""Many guests in files: found, read, answered and written as rows."""
