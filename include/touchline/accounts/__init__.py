"""Who uses the API: keys, limits, what was used, and profiles; nothing of HTTP."""
