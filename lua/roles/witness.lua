local gt = require "gt"
gt.role("witness", { api = 1, scope = "rig", doc = "Keeps the workers of a rig going" })
