"""The Function App: registers the blueprints, nothing else."""

from __future__ import annotations

import azure.functions as func

from functions.create_connector import blueprint as create_connector

app = func.FunctionApp()
app.register_functions(create_connector)
