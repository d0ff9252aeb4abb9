"""Forecasting: candidate models, calibration, the scoreline grid, scores, the walk-forward backtest."""
