"""Forecasting: candidate models, calibration, the scoreline grid, scores, and the walk-forward backtest."""
