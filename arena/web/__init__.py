"""The HTTP side: routes, security, live streams, pages."""
