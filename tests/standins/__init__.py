"""Servers that stand for what is outside: each as much of a service over real HTTP as the tests need."""
