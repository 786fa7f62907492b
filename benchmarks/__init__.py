"""Figures of speed, each by a program that anybody can run again."""
