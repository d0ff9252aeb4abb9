"""The ledger: predictions before kick-off, outcomes after it, and nothing ever changed."""
