-- The Witness keeps the workers of a rig going: it feeds ready beads to them, speaks to the silent, brings back the
-- dead, and gives up in a way that a person notices.
--
-- Change it without copying it: ~/gt/lua/roles/witness.lua, or <rig>/lua/roles/witness.lua for one rig, begins with
--   local witness = require("gt").extend "witness"
-- and then overrides one rule by name. `gt policy show witness` prints this file, `gt why <bead>` what it decided.

local gt = require "gt"

local witness = gt.role("witness", { api = 1, scope = "rig", doc = "Keeps the workers of a rig going" })

-- Set these under [roles.witness] in town.toml or rig.toml.
local cfg = witness.settings {
  patience = gt.duration("5m", "silence before the first word to a worker"),
  restarts = gt.integer(
    3,
    "how often a dead worker is brought back before its bead is quarantined",
    { min = 1, max = gt.most_restarts }
  ),
  limited = gt.duration("15m", "how long a worker at its usage limit is left alone before a person hears of it"),
  stale = gt.duration("7d", "a branch without open work is reported when it has lain still for this long"),
}

-- A bead whose blockers are gone goes to a worker by itself, if its convoy has begun: slinging the first bead of a
-- convoy is a person's word for all of it. What is held or quarantined waits for a person.
witness.each.bead("feed-convoy", {
  when = function(bead)
    return bead.ready
      and not bead.hooked
      and not bead.held
      and not bead.quarantined
      and bead.convoy ~= nil
      and bead.convoy.active
  end,
  act = function(bead) return gt.sling(bead) end,
})

-- A worker that lives and says nothing: two words, a restart that keeps the conversation, another worker, a person.
-- The place on this ladder belongs to the bead, not to the session, and a commit, a closed step or a person's word
-- starts it again.
witness.each.worker("nudge-silent", {
  when = function(w) return w.state == "silent" and w.silent_for > cfg.patience end,
  beats = { "park-limited" },
  ladder = {
    {
      times = 2,
      wait = "5m",
      act = function(w)
        return gt.nudge(
          w,
          "Nothing heard on {bead.id} for {silent_for}. Run `gt hook` and go on, or say with `bd comments add {bead.id} TEXT` what you are stuck on."
        )
      end,
    },
    { wait = "10m", act = function(w) return gt.restart(w, { resume = true }) end },
    { wait = "20m", act = function(w) return gt.requeue(w.bead, "silent after two nudges and a restart") end },
    {
      act = function(w)
        return {
          gt.quarantine(w.bead),
          gt.escalate(w.bead, "high", "{bead.id} has silenced {bead.workers} workers"),
        }
      end,
    },
  },
})

-- A worker whose process is gone, while its work is not: brought back at once, then after a pause, then not again.
-- `when` is one function, so that a layer above can add a condition and call it as `base`.
witness.each.worker("restart-dead", {
  when = function(w) return w.state == "dead" end,
  ladder = {
    {
      times = cfg.restarts,
      wait = "10s",
      act = function(w) return gt.restart(w, { resume = true }) end,
    },
    {
      act = function(w)
        return {
          gt.quarantine(w.bead),
          gt.escalate(w.bead, "high", "the worker of {bead.id} died again and again"),
        }
      end,
    },
  },
})

-- A worker at its usage limit is neither silent nor dead: leave it alone, and tell somebody if it lasts.
witness.each.worker("park-limited", {
  when = function(w) return w.state == "limited" and w.silent_for > cfg.limited end,
  act = function(w)
    return gt.escalate(w, "low", "{name} waits at its usage limit with {bead.id}, for {silent_for} now")
  end,
})

-- A worker whose program asks something that no message may answer stands still until a person looks. It is
-- told once, and again only after the worker has gone on in between.
witness.each.worker("waiting-for-person", {
  when = function(w) return w.state == "waiting" and w.dialog ~= nil end,
  act = function(w)
    return gt.escalate(
      w,
      "high",
      "{name} waits for a person at its dialog `{dialog}`, with {bead.id}: gt polecat attach {name}"
    )
  end,
})

-- The functions of its patrol: `bd formula show witness-patrol` says when they run. Each sees what the ones before it
-- returned, under the id of their step, and all of them see one moment.

witness.run("find-stale-branches", function(_, town)
  local found = {}
  for _, branch in ipairs(town.git.branches { merged = false }) do
    local open = branch.bead and branch.bead.status ~= "closed"
    local told = town.memory["stale " .. branch.name]
    if not open and not told and branch.idle_for > cfg.stale then found[#found + 1] = branch end
  end
  return found
end)

-- Said once and then not for a month: a branch that is meant to stay is no news every six hours.
witness.run("report-stale-branches", function(run, town)
  if #run.branches == 0 then return nil end
  local told = {}
  for _, branch in ipairs(run.branches) do
    told["stale " .. branch.name] = true
  end
  local lines = gt.list(run.branches, "{name}: {ahead} commits that have not landed, idle for {idle_for}")
  return { gt.mail("overseer", "Branches that nobody works on", lines), gt.remember(town, told, "30d") }
end)

witness.run("stale-digest", function(run)
  if #run.branches == 0 then return nil end
  return #run.branches .. " branches reported that nobody works on"
end)
