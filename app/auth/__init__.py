"""Who a request acts as.

tokens      credentials and the principals behind them
passwords   argon2id
"""
