"""What a threshold would do, before it is saved: backtests and suggestions."""
