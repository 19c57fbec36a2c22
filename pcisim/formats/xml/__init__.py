"""XML with byte offsets: read, and edited so that every other byte stays."""
