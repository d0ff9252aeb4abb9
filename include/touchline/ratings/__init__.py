"""Team ratings: one state per team, updated match by match, never looking ahead."""
