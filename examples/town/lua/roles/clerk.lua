-- ~/gt/lua/roles/clerk.lua : a role for the whole town. Once a day it tells the overseer what waits for a person.
--
-- Its functions are run by a formula, .beads/formulas/morning.formula.toml: there you change when, and put other steps
-- between these. `gt patrol list` says what the last round came to, `gt patrol run morning` has one done now.

local gt = require "gt"

local clerk =
  gt.role("clerk", { api = 1, scope = "town", doc = "Tells the overseer once a day what waits for a person" })

local cfg = clerk.settings { label = gt.string("needs-person", "beads with this label wait for a person") }

-- What a step returns is there for the steps after it, under the id of the step in the formula.
clerk.run("find-waiting", function(_, town) return town.beads.find { label = cfg.label, status = "open" } end)

clerk.run("tell-overseer", function(run)
  if #run.waiting == 0 then return nil end
  return gt.mail("overseer", #run.waiting .. " beads wait for you", gt.list(run.waiting, "{id}  {title}"))
end)

-- A digest is what the round is remembered by. Without one there would be a line for each step that did something.
clerk.run("say-how-many", function(run)
  if #run.waiting == 0 then return nil end
  return #run.waiting .. " beads waited for a person"
end)
