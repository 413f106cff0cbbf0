-- Hotfixes first and alone, small changes before big ones, one migration in a batch.
-- Copy to ~/gt/<rig>/lua/roles/refinery.lua.

local gt = require "gt"
local refinery = gt.extend("refinery")
local cfg = refinery.settings {
  age_step = gt.duration("30m", "waiting this long is worth one priority"),
  lines = gt.integer(2000, "changed lines in one batch"),
  migrations = gt.globs({ "migrations/**" }, "at most one such change in a batch"),
}

refinery.order(function(mr) -- higher first; ties by arrival
  if mr.bead:has("hotfix") then return math.huge end
  return mr.waiting / cfg.age_step - mr.bead.priority - mr.lines / 1000
end)

refinery.batch(function(queue)
  if queue[1].bead:has("hotfix") then return { queue[1] } end
  local lines, migration = 0, false
  return gt.take(queue, function(mr)
    if lines > 0 and lines + mr.lines > cfg.lines then return false, "batch is full" end
    if mr:touches(cfg.migrations) then
      if migration then return false, "one migration per batch" end
      migration = true
    end
    lines = lines + mr.lines
    return true
  end)
end)
