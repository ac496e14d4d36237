"""What rows alone do not say: changes of rank, gaps. Small pure functions, but for the one that reads a file."""
