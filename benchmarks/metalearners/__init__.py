"""The methods beside one another: training runs of each, and what is published of them."""
