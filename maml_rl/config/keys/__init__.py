"""The keys of each method, a file each: a method's are read when it is chosen, for a quick --help."""
