"""`rollcall demo`: the main job on the sandbox, to be watched."""
