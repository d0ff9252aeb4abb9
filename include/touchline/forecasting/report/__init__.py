"""The backtest's report for people: the value of the forecasts in scores and in money."""
