"""Diagrams of models: what is to be drawn, where it goes, and the picture as SVG text or as pixels. No Graphviz is needed."""
