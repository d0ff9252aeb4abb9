"""football-data.co.uk: results, match statistics and prices as CSV files."""
