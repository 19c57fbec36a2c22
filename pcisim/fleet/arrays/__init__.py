"""Many guests as numpy arrays: placed and measured in closed form."""
