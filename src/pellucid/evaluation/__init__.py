"""How good a separation is, under one fixed protocol."""
