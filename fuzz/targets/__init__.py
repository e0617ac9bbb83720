"""One module for each thing that reads what others wrote."""
