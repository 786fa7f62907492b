"""What commands write: files and folders that are never another's, and what a terminal shows."""
