"""The thin read API and the board: what analysts and their programs see of the ledger."""
