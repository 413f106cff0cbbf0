-- The Deacon keeps the town itself in order, once for all rigs: its ledger packed, its left-over wisps gone.
--
-- When these functions run is said by a formula, `bd formula show deacon-patrol`. A formula of your own that says
-- `extends = ["deacon-patrol"]` takes its place, with more steps or another schedule; ~/gt/lua/roles/deacon.lua with
--   local deacon = require("gt").extend "deacon"
-- adds functions, or answers one of these anew: deacon.run("burn-wisps", function(run, town, base) … end).

local gt = require "gt"

local deacon = gt.role("deacon", { api = 1, scope = "town", doc = "Keeps the town's store and ledger in order" })

-- Set this under [roles.deacon] in town.toml.
local cfg = deacon.settings {
  wisps = gt.duration("24h", "a wisp that nothing has changed for this long is burnt"),
}

-- Each transition of a bead is a commit, and leaves a few small files. Packing joins them; history stays whole.
deacon.run("pack-ledger", function(_, town)
  if town.ledger.scattered() then return gt.repack() end
  return nil
end)

-- Wisps are for the moment: what was begun as one and then left lies about for nobody. At most fifty in a cycle.
deacon.run("burn-wisps", function(_, town)
  local burnt = {}
  for i, wisp in ipairs(town.wisps.idle(cfg.wisps)) do
    if i > 50 then break end
    burnt[i] = gt.burn(wisp)
  end
  return burnt
end)
