"""What a part of the steps for the Fisher matrix saves and costs."""
