"""The backtest's report: what the forecasts were worth, in scores and in money, for people to read."""
