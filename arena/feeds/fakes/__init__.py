"""Fake venues on 127.0.0.1: they speak the venues' protocols, with made-up prices and faults on request."""
