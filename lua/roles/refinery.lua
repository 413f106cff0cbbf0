-- The Refinery lands what the workers of a rig hand in. Here it only answers questions; building the merged tree,
-- running the gates on it and pushing exactly that tree is the core's work, and no answer can skip it.
--
-- Change an answer without copying it: ~/gt/lua/roles/refinery.lua begins with
--   local refinery = require("gt").extend "refinery"
-- and answers one question anew. The answer below comes as the last argument:
--   refinery.order(function(mr, town, base) return base(mr, town) + (mr.bead:has("hotfix") and 100 or 0) end)

local gt = require "gt"

local refinery = gt.role("refinery", { api = 1, scope = "rig", doc = "Lands what the workers of a rig hand in" })

-- Set these under [roles.refinery] in town.toml or rig.toml.
local cfg = refinery.settings {
  age_step = gt.duration("30m", "waiting this long is worth one priority"),
  batch = gt.integer(4, "how many merge requests are built and tested together", { min = 1, max = 50 }),
  attempts = gt.integer(3, "how often a bead comes back from the gates before a person looks", { min = 1 }),
  overdue = gt.duration("8h", "a merge request that waits for longer is reported, once a day"),
}

-- May it enter the queue? `false, "why"` keeps it out until the answer changes. An error keeps it out too.
refinery.admit(function(mr)
  if mr.held then return false, "held for a person" end
  if mr.bead.quarantined then return false, "its bead is quarantined" end
  return true
end)

-- Higher first, ties by arrival. Priority 0 is most urgent; age lifts what waits, so that nothing waits for ever.
refinery.order(function(mr) return mr.waiting / cfg.age_step - mr.bead.priority end)

-- Which to build together, out of the ordered queue; at least one. A red batch is split, so the size costs time only
-- when something is wrong. What has failed before is built alone: it would make good ones wait.
refinery.batch(function(queue)
  if queue[1].attempt > 1 then return { queue[1] } end
  local taken = 0
  return gt.take(queue, function(mr)
    if mr.attempt > 1 then return false, "has failed before, goes alone" end
    if taken >= cfg.batch then return false, "batch is full" end
    taken = taken + 1
    return true
  end)
end)

-- Which gates of rig.toml to run, by name; nil is all of them. A required gate runs whatever is answered here.
refinery.gates(function() return nil end)

-- It does not merge with what landed meanwhile: the worker who made it knows best. The core adds the hunks.
refinery.on_conflict(function(mr)
  if mr.attempt < cfg.attempts then return gt.rework(mr, "conflicts with {target}") end
  return {
    gt.hold(mr, "conflicted {attempt} times"),
    gt.escalate(mr, "medium", "{bead.id} has conflicted with {target} {attempt} times"),
  }
end)

-- A gate failed on the merged tree, and it is this change that breaks it. The core adds the output.
refinery.on_failure(function(mr)
  if mr.attempt < cfg.attempts then return gt.rework(mr, "gate {gate} failed") end
  return {
    gt.hold(mr, "gate {gate} failed {attempt} times"),
    gt.escalate(mr, "high", "{bead.id} has failed gate {gate} {attempt} times"),
  }
end)

-- After it landed. The core closes the bead and retires the worker; here is room for a word of your own.
refinery.after_merge(function() return nil end)

-- The functions of its patrol: `bd formula show refinery-patrol` says when they run.

refinery.run("find-overdue", function(_, town)
  local found = {}
  for _, mr in ipairs(town.queue) do
    if mr.waiting > cfg.overdue and not mr.memory.overdue then found[#found + 1] = mr end
  end
  return found
end)

refinery.run("report-overdue", function(run)
  if #run.queue == 0 then return nil end
  local lines = gt.list(run.queue, "{bead.id} ({bead.title}) has waited for {waiting}, attempt {attempt}")
  local acts = { gt.mail("overseer", "Merge requests that wait: gt queue says why", lines) }
  for _, mr in ipairs(run.queue) do
    acts[#acts + 1] = gt.remember(mr, { overdue = true }, "24h")
  end
  return acts
end)

refinery.run("overdue-digest", function(run)
  if #run.queue == 0 then return nil end
  return #run.queue .. " merge requests reported that wait too long"
end)
