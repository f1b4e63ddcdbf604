"""What the machine has to do with it: processes, threads, memory, files."""
