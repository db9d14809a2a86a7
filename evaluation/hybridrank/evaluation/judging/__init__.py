"""Documents to judge, grades, and the agreement of judges."""
