"""The web page and the HTTP API: one model, many people, nothing kept (extra `web`)."""
