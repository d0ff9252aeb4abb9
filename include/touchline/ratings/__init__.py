"""Team ratings: one state per team, updated match by match and never looking ahead."""
