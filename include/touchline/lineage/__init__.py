"""Where a number came from, and where a payload went: from predictions to payload bytes, and back."""
