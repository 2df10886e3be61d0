"""Measuring a separation: metrics, the stated protocol, readers of the field's sets, reports."""
