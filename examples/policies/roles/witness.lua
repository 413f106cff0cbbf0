-- My ladder in place of the shipped one: more patience, and three times as much for beads that are labelled slow.
-- Copy to ~/gt/lua/roles/witness.lua.

local gt = require "gt"
local witness = gt.extend("witness")
local cfg = witness.settings {
  patience = gt.duration("8m", "silence before the first word"),
  slow = gt.string("slow", "beads with this label get three times the patience"),
}

witness.override("nudge-silent", {
  when = function(w)
    local patience = w.bead:has(cfg.slow) and cfg.patience * 3 or cfg.patience
    return w.state == "silent" and w.silent_for > patience
  end,
  ladder = { -- per = "bead", reset = "progress" go without saying
    {
      times = 2,
      wait = "5m",
      act = function(w)
        return gt.nudge(
          w,
          "No progress on {bead.id} for {silent_for}, step {step.id}. Run `gt hook`, or say with `bd comments add {bead.id} TEXT` what you are stuck on."
        )
      end,
    },
    { wait = "10m", act = function(w) return gt.restart(w, { resume = true }) end },
    { wait = "20m", act = function(w) return gt.requeue(w.bead, "silent after two nudges and a restart") end },
    {
      act = function(w)
        return { gt.quarantine(w.bead), gt.escalate(w.bead, "high", "{bead.id} has silenced {bead.workers} workers") }
      end,
    },
  },
})
