"""Places where work items are done: in the caller's process, in processes of their own."""
