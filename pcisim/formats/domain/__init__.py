"""Domain XML: read into a guest, and written back."""
