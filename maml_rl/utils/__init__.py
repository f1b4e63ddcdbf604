"""Names that scripts written for the 2020 code import; the code behind them lives elsewhere."""
