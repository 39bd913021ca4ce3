"""A Functions host for one computer: indexes `function_app.py` through azure.functions and drives its triggers."""
