-- ~/gt/lua/roles/gardener.lua : a patrol with two steps and a digest. It reports branches that nobody owns.

local gt = require "gt"
local gardener = gt.role("gardener", { api = 1, scope = "rig", doc = "Finds branches that nobody owns" })
local cfg = gardener.settings { stale = gt.duration("7d", "idle this long without a bead") }

-- It is a formula, too: `bd formula show branch-sweep`. One that extends it takes its place.
gardener.patrol("branch-sweep", {
  every = "12h",
  steps = {
    gt.step("survey", function(_, town)
      local found = {}
      for _, branch in ipairs(town.git.branches { merged = false }) do
        if not branch.bead and branch.idle_for > cfg.stale then found[#found + 1] = branch end
      end
      return found
    end),
    gt.step("report", function(run)
      if #run.survey == 0 then return nil end
      local lines = gt.list(run.survey, "{name}: {ahead} commits, idle {idle_for}")
      return gt.mail("overseer", "Stale branches", lines)
    end),
  },
  digest = function(run)
    if #run.survey > 0 then return #run.survey .. " stale branches reported" end
    return nil
  end,
})
