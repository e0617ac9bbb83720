"""Mutation testing: each module's own tests against small faults in it. `nox -s mutants` runs it."""
