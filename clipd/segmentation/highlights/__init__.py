"""Highlight mode: features -> anchors -> boundaries -> windows -> filters, five visible steps."""
