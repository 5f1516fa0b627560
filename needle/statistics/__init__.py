"""From verdicts to claims: intervals, effective lengths, comparisons. Pure."""
