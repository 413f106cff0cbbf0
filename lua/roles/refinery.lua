local gt = require "gt"
gt.role("refinery", { api = 1, scope = "rig", doc = "Lands what the workers of a rig hand in" })
