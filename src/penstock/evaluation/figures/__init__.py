"""Figures of a report; apart because plotly is heavy, and loaded only when they are drawn."""

from penstock.evaluation.figures._draw import draw_figures as draw_figures
