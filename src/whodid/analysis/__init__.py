"""What SQL alone cannot tell: groups of errors, cost of compute, drift, ways of working. Plain functions on rows."""
