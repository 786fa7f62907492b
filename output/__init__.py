"""What commands write: files and folders that are never somebody else’s, and what is shown on a terminal."""
