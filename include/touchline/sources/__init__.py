"""Where data comes from: one module a provider."""
